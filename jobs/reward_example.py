#!/usr/bin/env python3
"""A reward of one's own, in Python; jobs/reward_example.yaml uses it. Copy it and change score().

Every worker rank starts this program once. A line of its standard input is a request, a JSON
object with "id", "prompt", "response", "answer" and all other fields of the example. For each it
prints one line, {"id", "reward", "correct", "extracted"}, in any order. Requests come before earlier
ones are answered, so reading on while others are computed is fine; so is one after the other, as
here. It ends when its input ends. Try it alone:

    echo '{"response": "2 + 3 = 5. #### 5", "answer": "5"}' |
        coppice reward --task exec -- python3 jobs/reward_example.py
"""
import json
import re
import sys

NUMBER = r"-?[.,]*[0-9][0-9.,]*"


def score(request):
    """The number after the last ####, else the last number, must be the answer."""
    text = request["response"][-300:]
    marked = re.findall("#### (" + NUMBER + ")", text)
    found = (marked or re.findall(NUMBER, text) or [""])[-1]
    found = re.sub("^(-?)[.,]{2,}", r"\1", found)  # an ellipsis; but .5 is a number
    found = found.replace(",", "").rstrip(".")
    right = found == str(request["answer"]).replace(",", "")
    return {
        "reward": 1.0 if right else 0.0,  # any finite number, also one between 0 and 1
        "correct": right,                 # may be left out: then it is reward >= 1
        "extracted": found or None,       # may be left out: what an ensemble votes on
    }


for line in sys.stdin:
    request = json.loads(line)
    answer = {"id": request["id"], **score(request)}
    # flush: in a pipe Python keeps back what it prints, and the job would wait for it. Print
    # nothing else here; text for people goes to sys.stderr.
    print(json.dumps(answer), flush=True)
