#!/usr/bin/env bash
# Generates Shared/PlantEvents/Generated from proto/. Needs protoc; protoc-gen-swift is built from the package when absent.
set -euo pipefail
cd "$(dirname "$0")/.."
plugin=${PROTOC_GEN_SWIFT:-.build/release/protoc-gen-swift}
[ -x "$plugin" ] || swift build -c release --product protoc-gen-swift
out=${1:-Shared/PlantEvents/Generated}
rm -rf "$out" && mkdir -p "$out"
protoc --plugin=protoc-gen-swift="$plugin" --proto_path=proto --swift_out="$out" \
    --swift_opt=Visibility=Package --swift_opt=FileNaming=DropPath --swift_opt=UseAccessLevelOnImports=true proto/lineledger/v1/*.proto
