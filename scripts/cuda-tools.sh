# Sourced by the scripts that test CUDA without a GPU: ends them with 77 and one line where a tool is missing.
missing_tool() {
  echo "needs $1"
  exit 77
}
command -v python3 >/dev/null || missing_tool 'python3, which translates PTX'
command -v cmake >/dev/null || missing_tool cmake
nvcc=$(command -v nvcc || { [[ -x /usr/local/cuda/bin/nvcc ]] && echo /usr/local/cuda/bin/nvcc; } || true)
[[ -n $nvcc ]] || missing_tool 'nvcc of CUDA 12.8 or newer'
nvcc_version=$("$nvcc" --version | sed -n 's/.*release \([0-9]*\.[0-9]*\).*/\1/p')
[[ $(printf '12.8\n%s\n' "$nvcc_version" | sort -V | head -n 1) == 12.8 ]] || missing_tool "nvcc of CUDA 12.8 or newer, not $nvcc_version"
