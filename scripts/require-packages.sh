#!/usr/bin/env bash
# Makes sure that a program of a Debian package is there. Usage: require-packages.sh PROGRAM PACKAGE [PROGRAM PACKAGE]...
# Installs what is missing where it runs as root; says what to install where it does not.
set -euo pipefail

missing=()
while [[ $# -ge 2 ]]; do
  command -v "$1" >/dev/null || missing+=("$2")
  shift 2
done
[[ ${#missing[@]} -gt 0 ]] || exit 0
if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
  echo "missing Debian packages: ${missing[*]} (apt-get install ${missing[*]})" >&2
  exit 1
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
