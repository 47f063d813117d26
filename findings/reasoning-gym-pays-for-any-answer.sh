#!/bin/sh
# Reasoning Gym: the task game_of_life_halting gives the full reward to every answer that is not empty, to the opposite
# of the right one as well.
#
#   version   reasoning-gym 0.1.25
#   expected  score_answer is 1 for the answer that the entry holds and less for the other: the task asks for True
#             or False
#   seen      1.0 for True, False and "I do not know", on each of 50 entries, of which some hold True and some False
#   so what   a policy that is trained on a mixture of tasks with this one in it is paid for whatever it says there: the
#             task looks solved from the first step, has no advantage within a group, and lifts the mixture's mean
#
# Exit code 0: as described. Anything else: it has changed, or could not be run.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'reasoning-gym==0.1.25'
"$folder/venv/bin/python" - <<'PYTHON' 2>"$folder/said" || { code=$?; tail -n 3 "$folder/said" >&2; exit $code; }
import sys
import reasoning_gym

tasks = reasoning_gym.create_dataset("game_of_life_halting", size=50, seed=1)
entries = [tasks[index] for index in range(50)]
held = [entry["answer"] for entry in entries]
print("50 entries hold", held.count("True"), "times True,", held.count("False"), "times False")
changed = not (set(held) == {"True", "False"})
for answer in ("True", "False", "I do not know"):
    mean = sum(tasks.score_answer(answer, entry) for entry in entries) / len(entries)
    print(f"mean reward of always answering {answer!r}: {mean}")
    changed += mean != 1
sys.exit(1 if changed else 0)
PYTHON
