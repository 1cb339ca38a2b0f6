#!/usr/bin/env bash
# Generates Shared/PlantEvents/Generated and Shared/CPlantEvents/hot.* from proto/.
# Needs protoc and protoc-c (Debian: protobuf-compiler, protobuf-c-compiler); protoc-gen-swift is built when absent.
#   proto/generate.sh [FOLDER]   with a folder, everything goes there and the sums are left alone
set -euo pipefail
cd "$(dirname "$0")/.."
plugin=${PROTOC_GEN_SWIFT:-.build/release/protoc-gen-swift}
[ -x "$plugin" ] || swift build -c release --product protoc-gen-swift
out=${1:-Shared/PlantEvents/Generated}
mkdir -p "$out"
rm -f "$out"/*.pb.swift
protoc --plugin=protoc-gen-swift="$plugin" --proto_path=proto --swift_out="$out" \
    --swift_opt=Visibility=Package --swift_opt=FileNaming=DropPath --swift_opt=UseAccessLevelOnImports=true \
    proto/lineledger/v1/*.proto

# The messages of which a plant writes one or more for each part, for libprotobuf-c (Shared/decisions/0014).
hot=${1:-Shared/CPlantEvents}
mkdir -p "$hot/include"
awk -v keep="Origin Meta FrameRecord TriggerId PixelFormat FrameCaptured EvidenceStored InspectionRecord Verdict \
Defect ToolTiming PartInspected ProductionRecord MaterialRecord DeliveryRecord DeliveryIntended OrderYield \
DeliveryConfirmed PartsCounted AlarmRecord DecisionRecord" -f proto/hot.awk \
    proto/lineledger/v1/{meta,frames,inspections,production,materials,deliveries,alarms,decisions}.proto > "$hot/hot.proto"
protoc-c --proto_path="$hot" --c_out="$hot" "$hot/hot.proto"
mv "$hot/hot.pb-c.h" "$hot/include/hot.pb-c.h"

# EventTests compares these sums: generated code is never behind its schemas, and never edited by hand.
[ $# -gt 0 ] || sha256sum proto/lineledger/v1/*.proto "$out"/*.pb.swift proto/hot.awk \
    "$hot"/hot.proto "$hot"/hot.pb-c.c "$hot"/include/hot.pb-c.h > proto/generated.sha256
