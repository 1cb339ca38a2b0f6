#!/usr/bin/env bash
# Checks the schemas: style and comments, old readers and the catalogue. Exits 1 and says what is wrong.
#   proto/check.sh           compares with proto/baseline.binpb, the schemas that running services have written with
#   proto/check.sh --freeze  takes additions into that baseline, once nothing in them breaks old readers
# Needs protoc, python3 and buf; where buf is missing it is installed from PyPI into .build/.
set -euo pipefail
cd "$(dirname "$0")"

buf=${BUF:-$(command -v buf || true)}
if [ -z "$buf" ]; then
    tools=../.build/proto-tools
    [ -x "$tools/bin/buf" ] || { python3 -m venv "$tools" && "$tools/bin/pip" install --quiet buf-bin==1.75.0; }
    buf=$tools/bin/buf
fi

# What running services write, and the envelope that every reader knows. The rest is catalogued, not frozen.
frozen=()
for record in Frame Inspection Production Material Delivery Alarm Parked; do
    frozen+=(--type "lineledger.v1.${record}Record")
done
frozen+=(--type lineledger.v1.Envelope)
# Of `decisions` only some kinds are written yet; their numbers are kept by the golden bytes.
for event in RecipeSubmitted RecipeTested RecipeApproved RecipeReturned RecipeReleased RecipeRetired ModelTrained \
    PerformanceReviewed LegalHoldPlaced LegalHoldLifted; do
    frozen+=(--type "lineledger.v1.$event")
done
build() { "$buf" build --exclude-source-info "${frozen[@]}" --output "$1"; }

"$buf" lint || exit 1
if [ ! -f baseline.binpb ]; then
    echo "proto/baseline.binpb is missing: get it back from version control" >&2
    exit 1
fi
"$buf" breaking --against baseline.binpb || {
    echo "proto: the lines above break readers of records already written; add a field or an event instead" >&2
    exit 1
}
now=$(mktemp --suffix .binpb)
trap 'rm -f "$now"' EXIT
build "$now"
if [ "${1:-}" = --freeze ]; then
    cp "$now" baseline.binpb
elif ! cmp --silent "$now" baseline.binpb; then
    echo "proto: running services write what proto/baseline.binpb does not have: run proto/check.sh --freeze" >&2
    exit 1
fi
./catalogue.py --check
