#!/usr/bin/env bash
# Whether the C++ sources are formatted as .clang-format says (Debian 12's clang-format, version 14).
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/require-packages.sh clang-format clang-format
find native test bench \( -name '*.cc' -o -name '*.h' -o -name '*.cu' -o -name '*.cuh' \) -print0 | xargs -0 clang-format --dry-run --Werror
