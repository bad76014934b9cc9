#!/usr/bin/env bash
# Copies the sources of a backend and changes one of its files. Usage: plant.sh SED-SCRIPT SOURCES COPY FILE
# Fails where a line of the script no longer finds what it changes.
set -euo pipefail
script=$1 sources=$2 copy=$3 file=$4
while IFS= read -r line; do
  if sed -E -e "$line" "$sources/$file" | cmp -s - "$sources/$file"; then
    echo "$script changes nothing of $file by $line" >&2
    exit 1
  fi
done < <(grep -vE '^(#|$)' "$script")
mkdir -p "$copy"
cp -r "$sources/." "$copy"
sed -E -f "$script" "$sources/$file" >"$copy/$file"
