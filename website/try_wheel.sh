# Installs the wheel of dist/ in an empty environment, outside the checkout, and uses it: `make dist`.
set -eu
wheel=$(ls "$PWD"/dist/*.whl)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$PYTHON" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$wheel"
cd "$folder"
venv/bin/supernet --version
venv/bin/supernet list methods > methods.txt
test "$(wc -l < methods.txt)" -gt 60
# The light core: what an extra brings is asked for in a sentence, and nothing is left behind.
if venv/bin/supernet train --data digits --steps 2 --out none > refused.txt 2>&1; then
  echo "Training on digits without scikit-learn should have been refused." && exit 1
fi
grep -q "supernet\[digits\]" refused.txt
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$wheel[digits,search,export,report]"
OMP_NUM_THREADS=1 venv/bin/supernet run --data digits --steps 20 --budget 8 --exports 1 --out runs/first
test -s runs/first/export/best.onnx && test -s runs/first/report.html
