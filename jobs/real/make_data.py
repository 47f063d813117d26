#!/usr/bin/env python3
"""The data of jobs/real/*.yaml: JSON lines, the same bytes on every machine.

  jobs/real/make_data.py [--out DIR] [--count N] [--wordnet DIR] [TASK...]

Of each TASK (all by default) it writes N distinct questions in random order to DIR/TASK.jsonl (jobs/real/data), and 16
others for few-shot prompts to DIR/TASK-examples.jsonl:

  arithmetic  a story with one or two steps of reckoning; the answer after ####, as in GSM8K
  glosses     a definition of WordNet 3.0: animal, food, person or place?
  json        a sentence to be put into a JSON object with given keys
  words       two to four words to be sorted or reversed
  text        no questions, but plain text for guards: other definitions of WordNet, ten at a time

All but glosses and text are made here and may be used like this project. The definitions are those of WordNet 3.0 (Princeton
University; free to use, copy, change and pass on with its notice, wordnet.princeton.edu/license-and-commercial-use) as
Debian's package wordnet-base has them: its folder --wordnet (/usr/share/wordnet) or, where that is not installed, the
package, fetched by apt-get download and unpacked into DIR."""
import argparse
import glob
import json
import os
import random
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
WORDNET = "/usr/share/wordnet"
EXAMPLES = 16  # for few-shot prompts
TRIES = 100  # draws for each question before a task is said to have too few

PEOPLE = ("Ada Ben Clara David Emma Felix Grace Henry Ida Jack Kate Leo Maria Nora Oscar Paula Rosa Sam Tina Victor "
          "Alice Boris Dora Eric Fiona George Hanna Ivan Julia Karl Laura Martin Nina Otto Peter Ruth Simon Theo Vera "
          "Walter").split()
CITIES = ("Paris London Rome Berlin Madrid Vienna Oslo Prague Lisbon Dublin Athens Warsaw Boston Chicago Denver Cairo "
          "Lima Tokyo Delhi Sydney").split()
WORDS = ("apple river stone chair green table house bread water cloud light music paper plant sugar tiger train uncle "
         "voice wheel zebra bridge candle dinner engine family garden hammer island jacket kitten lemon market needle "
         "orange pencil queen rabbit silver ticket valley window yellow anchor basket camera desert eagle forest guitar "
         "honey insect jungle ladder mirror number ocean pepper rocket school turtle violin winter button castle dragon "
         "flower hotel kettle magnet nation onion planet ribbon spider tunnel village whale arrow beach circle doctor "
         "earth finger ghost horse idea juice king lion mouse night oven pillow road sand tree").split()


# --- arithmetic ---

THINGS = ("apples books cards coins cookies eggs flowers marbles pencils shells stamps stickers tickets toys balloons "
          "oranges pens candles cups nuts").split()


def arithmetic_steps(chance, things):
    """One step from a number on: the sentence, and the number that it leads to; None where it does not go."""
    other = chance.choice(PEOPLE)

    def add(name, have):
        more = chance.randint(2, 20)
        return chance.choice([f"{name} buys {more} more {things}.", f"{name} finds {more} more {things}.",
                              f"{other} gives {name} {more} more {things}."]), have + more

    def take(name, have):
        if have < 4:
            return None
        less = chance.randint(2, min(20, have - 1))
        return chance.choice([f"{name} gives {less} {things} to {other}.", f"{name} loses {less} {things}.",
                              f"{name} sells {less} {things}."]), have - less

    def times(name, have):
        if have > 20:
            return None
        factor = chance.choice([2, 3])
        word = {2: "twice", 3: "three times"}[factor]
        return f"{other} has {word} as many {things} as {name} has now.", have * factor

    def share(name, have):
        parts = [part for part in (2, 3, 4, 5) if have % part == 0 and have > part]
        if not parts:
            return None
        part = chance.choice(parts)
        return f"{name} shares the {things} equally among {part} children.", have // part

    step = chance.choice([add, add, take, take, times, share])
    return step, other


def draw_arithmetic(chance, _):
    name, things = chance.choice(PEOPLE), chance.choice(THINGS)
    have = chance.randint(2, 30)
    story, reckoning, asked = [f"{name} has {have} {things}."], [], f"How many {things} does {name} have now?"
    count = chance.choice([1, 1, 2])
    for i in range(count):
        step, other = arithmetic_steps(chance, things)
        done = step(name, have)
        if done is None or other == name:
            return None
        sentence, result = done
        story.append(sentence)
        sign = {"add": f"{have} + {result - have}", "take": f"{have} - {have - result}",
                "times": f"{have} * {result // have}", "share": f"{have} / {have // result}"}[step.__name__]
        reckoning.append(f"{sign} = {result}")
        if step.__name__ in ("times", "share"):  # what is left is another's: the story ends
            if i + 1 < count:
                return None
            asked = (f"How many {things} does {other} have?" if step.__name__ == "times"
                     else f"How many {things} does each child get?")
        have = result
    return {"question": " ".join([*story, asked]), "answer": ". ".join(reckoning) + f".\n#### {have}"}


# --- glosses ---

KINDS = {"05": "animal", "13": "food", "18": "person", "15": "place"}  # WordNet's files noun.animal, ..., noun.location
TOGETHER = 10  # definitions in a text


def find_wordnet(options):
    """A folder with data.noun."""
    if os.path.exists(os.path.join(options.wordnet, "data.noun")):
        return options.wordnet
    unpacked = os.path.join(options.out, "wordnet-base", "usr", "share", "wordnet")
    if not os.path.exists(os.path.join(unpacked, "data.noun")):
        try:
            with tempfile.TemporaryDirectory() as folder:
                subprocess.run(["apt-get", "download", "wordnet-base"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
                subprocess.run(["dpkg-deb", "-x", *glob.glob(os.path.join(folder, "*.deb")),
                                os.path.join(options.out, "wordnet-base")], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            sys.exit(f"make_data: no WordNet in {options.wordnet}, and its package was not to be had ({error}): install "
                     "wordnet-base, or name a folder with data.noun by --wordnet")
    return unpacked


def read_definitions(folder):
    """The first word of each noun, its kind ("" for one of other kinds) and its definition."""
    with open(os.path.join(folder, "data.noun"), encoding="utf-8") as lines:
        for line in lines:
            if line.startswith(" "):  # the notice
                continue
            head, _, gloss = line.partition(" | ")
            fields = head.split()
            yield fields[4].replace("_", " "), KINDS.get(fields[1], ""), re.sub(r"^\([^)]*\) *", "", gloss.split(";")[0].strip())


def read_glosses(folder):
    """Definitions of 3 to 12 words by kind, each of one kind only."""
    found, kinds = {kind: [] for kind in KINDS.values()}, {}
    for _, kind, text in read_definitions(folder):
        kinds.setdefault(text, set()).add(kind)
        if kind and 3 <= len(text.split()) <= 12 and '"' not in text:
            found[kind].append(text)
    return {kind: sorted({text for text in texts if len(kinds[text]) == 1}) for kind, texts in found.items()}


def draw_gloss(chance, glosses):
    kind = chance.choice(sorted(glosses))
    return {"question": chance.choice(glosses[kind]), "choices": list(glosses), "labels": list(glosses), "answer": kind}


def read_sentences(folder):
    """Definitions of nouns that are of none of the kinds, as sentences."""
    return [f"{word[:1].upper()}{word[1:]}: {text}." for word, kind, text in read_definitions(folder)
            if not kind and len(text.split()) >= 6 and text.isascii()]


def draw_text(chance, sentences):
    return {"text": " ".join(chance.sample(sentences, TOGETHER))}


# --- json ---

def draw_json(chance, _):
    name, city, number = chance.choice(PEOPLE), chance.choice(CITIES), chance.randint(2, 90)
    word, other = chance.sample(WORDS, 2)
    kinds = [
        (f"{name} is {number} years old and lives in {city}.", {"name": name, "age": number, "city": city}),
        (f"{name} lives in {city}.", {"name": name, "city": city}),
        (f"{name} is {number} years old.", {"name": name, "age": number}),
        (f"In the shop a {word} costs {number} dollars.", {"item": word, "price": number}),
        (f"{name} ordered {number} of the article {word}.", {"customer": name, "quantity": number, "article": word}),
        (f"The train to {city} leaves from platform {number}.", {"destination": city, "platform": number}),
        (f"{name} has a {word} and a {other}.", {"owner": name, "first": word, "second": other}),
        (f"{name} flew to {city} with {number} others.", {"pilot": name, "destination": city, "passengers": number}),
    ]
    text, value = chance.choice(kinds)
    keys = ", ".join(value)
    return {"question": text, "keys": keys, "answer": json.dumps(value)}


# --- words ---

def draw_words(chance, _):
    words = chance.sample(WORDS, chance.choice([2, 2, 3, 3, 4]))
    what, result = chance.choice([("alphabetical", sorted(words)), ("reverse", words[::-1])])
    return {"question": f"Write these words in {what} order: {', '.join(words)}", "answer": ", ".join(result)}


TASKS = {"arithmetic": draw_arithmetic, "glosses": draw_gloss, "json": draw_json, "words": draw_words,
         "text": draw_text}
READ = {"glosses": read_glosses, "text": read_sentences}  # what is drawn from, of WordNet


def make(task, count, material):
    """Rows with distinct questions."""
    chance, rows = random.Random(f"{task} 1"), {}
    for _ in range(count * TRIES):
        row = TASKS[task](chance, material)
        if row is not None:
            rows.setdefault(row.get("question") or row["text"], row)
        if len(rows) == count:
            return list(rows.values())
    sys.exit(f"make_data: {task} has no {count} distinct questions, {len(rows)} were found")


def write(path, rows):
    with open(path + ".new", "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    os.replace(path + ".new", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="of " + ", ".join(TASKS))
    parser.add_argument("--out", default=os.path.join(HERE, "data"), metavar="DIR")
    parser.add_argument("--count", type=int, default=2400, metavar="N")
    parser.add_argument("--wordnet", default=WORDNET, metavar="DIR")
    options = parser.parse_args()
    for task in options.tasks:
        if task not in TASKS:
            parser.error(f"no task {task}; there are {', '.join(TASKS)}")
    if options.count < 1:
        parser.error(f"--count {options.count}: must be at least 1")
    try:
        os.makedirs(options.out, exist_ok=True)
    except OSError as problem:
        sys.exit(f"make_data: {problem}")
    for task in options.tasks or TASKS:
        material = READ[task](find_wordnet(options)) if task in READ else None
        rows = make(task, options.count + (0 if task == "text" else EXAMPLES), material)
        for name, part in ((task, rows[:options.count]), (task + "-examples", rows[options.count:])):
            if not part:
                continue
            path = os.path.join(options.out, name + ".jsonl")
            write(path, part)
            print(f"{path}: {len(part)} rows")


if __name__ == "__main__":
    main()
