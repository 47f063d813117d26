#!/usr/bin/env python3
"""Judges the task words: are they the right ones in the right order? Case, punctuation and "and" do not count, nor does
what stands before a colon ("Here they are: ...") or on lines below. What is not right earns half the share of words in
their place. What an ensemble votes on are the words."""
import json
import re
import sys


def read_words(response):
    lines = [line for line in response.strip().split("\n") if line.strip()]
    if not lines:
        return ""
    head, colon, rest = lines[0].partition(":")
    if colon and not rest.strip():
        rest = lines[1] if len(lines) > 1 else ""
    words = re.findall(r"\w+", (rest if colon else head).lower())
    return ", ".join(word for word in words if word != "and")


def rate(words, answer):
    if words == answer:
        return 1.0
    said, wanted = words.split(", "), answer.split(", ")
    return sum(a == b for a, b in zip(said, wanted)) / max(len(said), len(wanted)) / 2


def main():
    for line in sys.stdin:
        request = json.loads(line)
        words = read_words(request["response"])
        score = {"id": request["id"], "reward": rate(words, request["answer"])}
        if words:
            score["extracted"] = words
        print(json.dumps(score), flush=True)


if __name__ == "__main__":
    main()
