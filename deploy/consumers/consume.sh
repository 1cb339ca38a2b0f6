#!/usr/bin/env bash
# Reads a LineLedger topic with kcat and protoc and prints each record in protobuf's text format.
#   deploy/consumers/consume.sh BROKERS SITE TOPIC [COUNT]
#   deploy/consumers/consume.sh localhost:9092 berlin inspections 10
# It reads from the beginning in no consumer group, repeats and void records too (proto/README.md, "A record").
# KCAT_FLAGS adds kcat's own flags, as for TLS: -F my.conf
set -euo pipefail
if [ $# -lt 3 ]; then
    sed -n '2,6s/^# *//p' "$0" >&2
    exit 2
fi
brokers=$1 site=$2 topic=$3 count=${4:-}
proto=$(cd "$(dirname "$0")/../../proto" && pwd)
case $topic in
    frames) file=frames record=FrameRecord ;;
    inspections) file=inspections record=InspectionRecord ;;
    production) file=production record=ProductionRecord ;;
    materials) file=materials record=MaterialRecord ;;
    mes-deliveries | erp-deliveries) file=deliveries record=DeliveryRecord ;;
    alarms) file=alarms record=AlarmRecord ;;
    decisions) file=decisions record=DecisionRecord ;;
    access) file=access record=AccessRecord ;;
    ledger) file=ledger record=LedgerRecord ;;
    *-parked) file=parked record=ParkedRecord ;;
    *) echo "topic $topic is not one of LineLedger's; proto/README.md lists them" >&2; exit 2 ;;
esac
# JSON cannot hold binary values, so each value is framed by its length: "<bytes> <headers>\n<value>\n".
limit=(); [ -z "$count" ] || limit=(-c "$count")
# shellcheck disable=SC2086
kcat -C -q -e -b "$brokers" -t "lineledger.$site.$topic" -o beginning "${limit[@]}" ${KCAT_FLAGS:-} \
    -f '%S %p/%o %h\n%s\n' |
    while IFS= read -r head; do
        bytes=${head%% *}
        echo "# ${head#* }"
        if [ "$bytes" -gt 0 ]; then head -c "$bytes"; fi |
            protoc --proto_path="$proto" --decode="lineledger.v1.$record" "$proto/lineledger/v1/$file.proto" ||
            echo "# the record above is no $record" >&2
        IFS= read -r _ || true
    done
