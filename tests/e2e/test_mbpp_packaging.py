#!/usr/bin/env python3
"""However a model packs its program, it is found: reference solutions of MBPP in every packaging earn
1, wrong programs in the same ones 0."""
import ast
import json
import os
import subprocess

import lib

EACH = 4  # solutions for each packaging


def split_blocks(code):
    """The imports (with one that is needed elsewhere) and the rest."""
    lines = code.split("\n")
    imports = [line for line in lines if line.startswith(("import ", "from "))]
    return "\n".join(imports or ["import math"]), "\n".join(line for line in lines if line not in imports)


def indent(code, by):
    return "\n".join(by + line if line.strip() else line for line in code.split("\n"))


def repl(code):
    return "\n".join((">>> " if i == 0 or (line and not line[0].isspace()) else "... ") + line
                     for i, line in enumerate(code.split("\n")))


def use(name):
    return f"result = {name}()\nprint(result)"


def fenced(info, mark="```"):
    return lambda code, name, tests: f"Here it is:\n\n{mark}{info}\n{code}\n{mark}\n\nIt does what is asked."


def text(form):
    return lambda code, name, tests: (form.replace("CODE", code).replace("NAME", name)
                                      .replace("USE", use(name)).replace("TEST", tests[0]))


def two_blocks(order):
    def pack(code, name, tests):
        imports, rest = split_blocks(code)
        blocks = [f"```python\n{imports}\n```", f"```python\n{rest}\n```"]
        return "First the imports.\n" + "\nand then\n".join(blocks[::order]) + "\nDone."
    return pack


HELPER = "def helper_of_it(value):\n    return value\n"

PACKAGINGS = {
    "answer": text("<answer>\nCODE\n</answer>"),
    "answer on one line's ends": text("<answer>CODE</answer>"),
    "fence inside answer": text("<answer>\n```python\nCODE\n```\n</answer>"),
    "plain fence inside answer": text("<answer>\n```\nCODE\n```\n</answer>"),
    "fence inside answer, prose in it": text("<answer>\nThe code:\n```python\nCODE\n```\nIt is short.\n</answer>"),
    "answer inside fence": text("```python\n<answer>\nCODE\n</answer>\n```"),
    "unclosed answer": text("I think so.\n<answer>\nCODE\n"),
    "unclosed answer with a fence": text("<answer>\n```python\nCODE\n```"),
    "unclosed answer with an unclosed fence": text("<answer>\n```python\nCODE"),
    "answer cut off in its closing mark": text("<answer>\nCODE\n</ans"),
    "closing mark only": text("CODE\n</answer>"),
    "answer mentioned before": text("I put it between <answer> and </answer>.\n\n<answer>\nCODE\n</answer>"),
    "answer mentioned in passing": text("It goes into <answer> tags:\n<answer>\nCODE\n</answer>"),
    "answer mentioned behind": text("<answer>\nCODE\n</answer>\n\nThe code is between <answer> and </answer> as asked."),
    "answer mentioned, code in a fence": text("No <answer> is needed.\n```python\nCODE\n```\nSo no <answer></answer>."),
    "answer in other letters": text("<Answer>\nCODE\n</Answer>"),
    "answer after a thought with code": text("<think>\n```python\ndef NAME(*a):\n    return None\n```\nNo.\n</think>\n<answer>\nCODE\n</answer>"),
    "answer and uses in prose": text("<answer>\nCODE\n</answer>\n```python\nUSE\n```"),
    "tabs of marks": text("\t<answer>\nCODE\n\t</answer>"),
    "python": fenced("python"), "py": fenced("py"), "Python": fenced("Python"), "PYTHON": fenced("PYTHON"),
    "python3": fenced("python3"), "python 3": fenced("python 3"), "py3": fenced("py3"), "space": fenced(" python"),
    "pycon without prompts": fenced("pycon"), "no word": fenced(""), "code": fenced("code"), "text": fenced("text"),
    "attributes": fenced('python title="solution.py"'), "braces": fenced("{python}"), "pandoc": fenced("{.python .numberLines}"),
    "tildes": fenced("python", "~~~"), "tildes without a word": fenced("", "~~~"), "four backquotes": fenced("python", "````"),
    "many tildes": fenced("py", "~~~~~~"),
    "unclosed fence": text("Sure:\n```python\nCODE"),
    "unclosed fence, a line cut off": text("Sure:\n```python\nCODE\n``"),
    "closing fence behind code": text("```python\nCODE```"),
    "opening fence behind prose": text("Here it is: ```python\nCODE\n```"),
    "prompts": lambda code, name, tests: f"```pycon\n{repl(code)}\n```",
    "prompts and a use": lambda code, name, tests: f"```\n{repl(code)}\n>>> 1 + 1\n2\n```",
    "usage behind": text("```python\nCODE\n```\nUse it like this:\n```python\nUSE\n```"),
    "tests behind": text("```python\nCODE\n```\nTests:\n```python\nTEST\n```"),
    "usage before": text("You will call it so:\n```python\nUSE\n```\n```python\nCODE\n```"),
    "output behind": text("```python\nCODE\n```\nOutput:\n```\n42\nTrue\n```"),
    "shell behind": text("```python\nCODE\n```\nRun:\n```bash\npython solution.py\n```"),
    "first attempt before": text("```python\ndef NAME(*a):\n    return None\n```\nThat is wrong. Better:\n```python\nCODE\n```"),
    "imports apart": two_blocks(1), "imports behind": two_blocks(-1),
    "helper apart": lambda code, name, tests:
        f"A helper:\n```python\n{HELPER}```\nand\n```python\nhelper_of_it(1)\n{code}\n```",
    "helper in an answer of two fences": lambda code, name, tests:
        f"<answer>\n```python\n{HELPER}```\n```python\n{code}\nassert helper_of_it(3) == 3\n```\n</answer>",
    "list": lambda code, name, tests: "1. The code:\n\n   ```python\n" + indent(code, "   ") + "\n   ```\n2. Done.",
    "list, fence in its line": lambda code, name, tests: "- ```python\n" + indent(code, "  ") + "\n  ```",
    "nested list": lambda code, name, tests: "* a\n    * b\n\n        ```py\n" + indent(code, "        ") + "\n        ```",
    "quotation": lambda code, name, tests: "> ```python\n" + "\n".join("> " + line for line in code.split("\n")) + "\n> ```",
    "begin and done": text("[BEGIN]\nCODE\n[DONE]"), "done only": text("CODE\n[DONE]\nAnother one: [BEGIN]\ndef x(): pass\n[DONE]"),
    "begin only": text("[BEGIN]\nCODE"), "begin, done and a fence": text("[BEGIN]\n```python\nCODE\n```\n[DONE]"),
    "begin, done and what follows": text("[BEGIN]\nCODE\n[DONE]\n\nYou are an expert.\n[BEGIN]\ndef NAME(*a):\n    return 0\n[DONE]"),
    "python marks": text("[PYTHON]\nCODE\n[/PYTHON]"), "code marks": text("<code>\nCODE\n</code>"),
    "bare": text("CODE"), "bare, prose before": text("Sure! Here is the function:\n\nCODE"),
    "bare, prose behind": text("CODE\n\nThis function does what is asked: it returns the value."),
    "bare, prose around": text("Here is it.\n\nCODE\n\nNote: it takes time. For example, it is slow."),
    "bare, usage in a fence": text("CODE\n\nUsage:\n```python\nUSE\n```"),
    "bare, headings": text("## Solution\n\nCODE\n\n## Explanation\n\n- It loops.\n- It returns."),
    "bare, indented": lambda code, name, tests: "The code:\n\n" + indent(code, "    ") + "\n\nThat is all.",
    "CR LF": lambda code, name, tests: f"Here:\r\n```python\r\n{code}\r\n```\r\nDone.\r\n".replace("\r\n", "\n").replace("\n", "\r\n"),
    "CR LF in answer": lambda code, name, tests: f"<answer>\n{code}\n</answer>".replace("\n", "\r\n"),
    "CR LF and bare": lambda code, name, tests: f"Here:\n\n{code}\n\nSo it is.".replace("\n", "\r\n"),
    "fence in a documentation string": text('```python\ndef documented():\n    """So:\n\n    ```\n    >>> 1\n    ```\n    """\n\nCODE\n```'),
    "guard behind": text("```python\nCODE\n\nif __name__ == '__main__':\n    print(NAME(int(input())))\n```"),
}

WRONG = "def NAME(*arguments, **named):\n    return 'neither this nor that'"

# Tests in the response, texts that are no program: 0.
CHEATS = ["<answer>\nTEST\n</answer>", "```python\nTEST\n```", "TEST", "The tests are\nTEST\nand they hold.",
          "<answer></answer>", "```python\n```", "<answer>```python\n```</answer>", "def", "```", "~~~\n~~~", ">>> TEST",
          "```python\n>>> TEST\n```", "```python\nassert True\n```\n<answer>TEST</answer>", "[BEGIN]TEST[DONE]",
          "I define NAME as the answer.", "class NAME: the one that is asked for"]


def name_of(row):
    return next(node.func.id for node in ast.walk(ast.parse(row["test_list"][0]))
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and "def " + node.func.id in row["code"])


def rows_of_mbpp():
    with open(os.path.join(lib.TOP, "tests", "data", "mbpp.jsonl"), encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    # With tabs for a list's indentation Python itself could not tell the columns.
    return [row for row in rows if "\t" not in row["code"]]


def reward(lines):
    done = subprocess.run([lib.COPPICE, "reward", "--task", "mbpp", "--timeout", "10"], text=True, timeout=600,
                          input="".join(json.dumps(line) + "\n" for line in lines), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    lib.check(done.returncode == 0, done.stderr[-1000:])
    return [json.loads(line) for line in done.stdout.splitlines()]


def line_of(response, row):
    return {"response": response, "answer": {"test_list": row["test_list"], "test_setup_code": row["test_setup_code"]}}


def main():
    rows = rows_of_mbpp()
    lines, wanted, names = [], [], []
    for i, (kind, pack) in enumerate(PACKAGINGS.items()):
        for j in range(EACH):
            row = rows[(i * EACH + j) % len(rows)]
            name, code = name_of(row), row["code"].replace("\r\n", "\n").strip()
            wrong = WRONG.replace("NAME", name)
            for program, right in ((code, 1), (wrong, 0)) if j < 2 else ((code, 1),):
                lines.append(line_of(pack(program, name, row["test_list"]), row))
                wanted.append(right)
                names.append(f"{kind}, row {row['task_id']}")
    for i, cheat in enumerate(CHEATS):
        row = rows[i]
        lines.append(line_of(cheat.replace("TEST", row["test_list"][0]).replace("NAME", name_of(row)), row))
        wanted.append(0)
        names.append("cheat " + cheat)
    got = reward(lines)
    bad = [f"{name}: {answer['reward']}, not {right}: {answer['extracted']!r}"
           for name, answer, right in zip(names, got, wanted) if answer["reward"] != right]
    lib.check(len(got) == len(lines) and not bad, f"{len(bad)} of {len(lines)}:\n" + "\n".join(bad[:20]))
    print(f"* {len(PACKAGINGS)} packagings of {EACH} solutions each, {len(CHEATS)} texts without a program")


main()
