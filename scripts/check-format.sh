#!/usr/bin/env bash
# Whether the C++ sources are formatted as .clang-format says (Debian 12's clang-format, version 14).
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/require-packages.sh clang-format clang-format
find native test/native test/fake-backends bench -name '*.cc' -o -name '*.h' | xargs clang-format --dry-run --Werror
