#!/usr/bin/env bash
# Copies the sources of a backend and changes one of its files. Usage: plant.sh SED-SCRIPT SOURCES COPY FILE
# Fails where the script no longer finds what it changes.
set -euo pipefail
script=$1 sources=$2 copy=$3 file=$4
mkdir -p "$copy"
cp -r "$sources/." "$copy"
sed -E -f "$script" "$sources/$file" >"$copy/$file"
if cmp -s "$sources/$file" "$copy/$file"; then
  rm "$copy/$file"
  echo "$script changes nothing of $file" >&2
  exit 1
fi
