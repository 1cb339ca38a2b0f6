#!/usr/bin/env bash
# Generates Shared/PlantEvents/Generated from proto/. Needs protoc; protoc-gen-swift is built when absent.
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
# EventTests compares these sums: generated code is never behind its schemas, and never edited by hand.
[ $# -gt 0 ] || sha256sum proto/lineledger/v1/*.proto "$out"/*.pb.swift > proto/generated.sha256
