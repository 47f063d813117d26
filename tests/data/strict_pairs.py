#!/usr/bin/env python3
"""Pairs of answers for the task math-strict, with math-verify's verdict beside ours.

    pip install math-verify==0.9.0
    python3 tests/data/strict_pairs.py build/coppice >tests/data/strict-pairs.json

A pair is judged as a response in \\boxed{} and a reference. Where the two verdicts differ the pair is
listed in DIFFER or EITHER_WAY with the reason; the script fails where one differs and is not, or is and does not.
"""
import json
import logging
import subprocess
import sys

from math_verify import parse, verify

# Answers that are one (reference, then others), a line each.
SAME = r"""
\frac{1}{2} | 0.5 | \dfrac{1}{2} | \tfrac12 | \frac12 | 1/2 | \frac{2}{4} | .5 | 50\% | 2^{-1}
\frac{14}{3} | 14/3 | 4\frac{2}{3} | 4 \frac{2}{3} | \frac{28}{6} | x=\frac{14}{3} | $\frac{14}{3}$
1\frac{4}{5} | \frac{9}{5} | 1.8 | 9/5 | 1 \frac45
137 \frac{1}{2} | 137.5 | \frac{275}{2}
-\frac{35}{9} | \frac{-35}{9} | -35/9 | -3\frac{8}{9} | \frac{35}{-9}
\frac 59 | \frac{5}{9} | 5/9
\frac9{19} | \frac{9}{19} | \dfrac{9}{19}
\frac{270}7\text{ degrees} | \frac{270}{7} | \frac{270}{7}^\circ
90^\circ | 90 | 90^{\circ} | 90 \text{ degrees} | 90 degrees
3\sqrt{13} | \sqrt{117} | 3 \sqrt{13} | 3\cdot\sqrt{13}
11\sqrt2 | 11\sqrt{2} | \sqrt{242}
\frac{\sqrt{3}}{3} | \frac{1}{\sqrt{3}} | \sqrt{\frac13}
6 - 5i | -5i+6 | 6-5i
x^3+3x-6 | 3x + x^3 - 6 | x^{3}+3x-6
(a+5)(b+2) | (b+2)(a+5) | ab+2a+5b+10
\frac{11+9a}{20} | \frac{9a+11}{20} | \frac{9a}{20}+\frac{11}{20}
\left( 3, \frac{\pi}{2} \right) | (3,\frac{\pi}{2}) | (3, \pi/2) | \left(3,\dfrac{\pi}{2}\right)
(-\infty, 2) \cup (3, \infty) | (3,\infty)\cup(-\infty,2) | \left(-\infty,2\right)\cup\left(3,\infty\right)
(3,4] | \left(3,4\right] | x \in (3,4] | 3 < x \le 4
x \in [-2,7] | [-2,7] | -2 \le x \le 7 | -2\leq x\leq 7
(5,\infty) | x > 5 | 5 < x | x\in(5,\infty)
(-\infty, 0] | x \le 0 | x\leq 0 | 0 \ge x
1 \pm \sqrt{19} | 1+\sqrt{19}, 1-\sqrt{19} | 1-\sqrt{19},1+\sqrt{19}
\{1\pm\sqrt{5},-2\} | \{-2, 1+\sqrt5, 1-\sqrt5\}
1,-2 | -2,1 | -2, 1 | 1 \text{ and } -2 | \{1,-2\} | x=1 \text{ or } x=-2 | 1 and -2
3, 5, 7 | 7,5,3 | 3,5,7 | 3, 5, \text{and } 7
\begin{pmatrix} -1/3 \\ 2/3 \\ 5/3 \end{pmatrix} | \begin{pmatrix} -\frac13 \\ \frac23 \\ \frac53 \end{pmatrix} | \begin{bmatrix} -1/3 \\ 2/3 \\ 5/3 \end{bmatrix}
\begin{pmatrix} -1 & 0 \\ 0 & -1 \end{pmatrix} | \begin{bmatrix}-1&0\\0&-1\end{bmatrix}
10,\!080 | 10080 | 10,080 | 10{,}080
11,\! 111,\! 111,\! 100 | 11111111100 | 11,111,111,100
\$32,\!348 | 32348 | \$32,348 | 32,348 dollars | 32348.00
\$18.90 | 18.9 | 18.90 | \$18.9
5.4 \text{ cents} | 5.4 | 5.4\text{ cents} | 5.4 cents
15\mbox{ cm}^2 | 15 | 15\text{ cm}^2 | 15 cm^2
864 \mbox{ inches}^2 | 864 | 864 \text{ square inches}
\text{Evelyn} | Evelyn | evelyn | \text{evelyn} | \textbf{Evelyn}
\text{even} | even | Even | \mathrm{even}
\text{(C)} | C | (C) | \text{C} | \textbf{(C)}
x=5 | 5 | x = 5 | 5.0
y = 2x + 3 | 2x+3 | y=3+2x
5x - 7y + 11z + 4 = 0 | 5x-7y+11z+4=0 | 10x-14y+22z+8=0 | 7y - 5x - 11z - 4 = 0
y = -2x | -2x | y=-2x
.0000672 | 6.72\times10^{-5} | 0.0000672 | 6.72 \cdot 10^{-5}
52_8 | 52_{8} | 52
4210_{5} | 4210_5
\frac{\pi}{6} | \pi/6 | \frac{1}{6}\pi
-\frac{\pi}{6} | \frac{-\pi}{6} | -\pi/6
18+2\pi | 2\pi+18 | 2(9+\pi)
288 \pi | 288\pi | 288\pi\text{ cm}^3
\frac{20000}{\pi} | 20000/\pi
\cot x | \frac{\cos x}{\sin x} | \cot(x) | \frac{1}{\tan x}
5r^5 | 5 r^{5} | 5\cdot r^5
\left[ \frac{\pi^2}{8}, \frac{5 \pi^2}{4} \right] | [\pi^2/8, 5\pi^2/4]
2^{100} | 1267650600228229401496703205376
\log_2 8 | 3
\sqrt[3]{27} | 3 | 27^{1/3}
|x-3| | |3-x|
\frac{x^2-1}{x+1} | x-1
\sin^2 x + \cos^2 x | 1
e^{2x} | (e^x)^2 | e^{x}e^{x}
\ln 8 | 3\ln 2
\binom{5}{2} | 10
5! | 120
50\% | 0.5 | 50 | \frac12
\mathbb{R} | (-\infty,\infty)
\emptyset | \varnothing | \{\}
0.\overline{3} | \frac13
3:2 | 3:2
\text{no solution} | no solution | No solution
60\text{ mph} | 60
2\sqrt{3}+\sqrt{2} | \sqrt{2}+2\sqrt{3}
(1,2),(3,4) | (3,4),(1,2)
a^2+2ab+b^2 | (a+b)^2
x \ge 3 | [3,\infty)
f(x) = x^2 | x^2
\sqrt[3]{-8} | -2
10/4 | 10/4 = 2.5
1,000 | 1000
(100,200) | (100, 200)
"""

# Answers that are not (reference, then others).
DIFFERENT = r"""
(1,2) | [1,2] | (2,1) | (1,2] | (1,2,3) | \frac12 | \{1,2\} | 12
[1,2] | (1,2) | [1,2) | [2,1]
x^2+3x+2 | \sin^2 x + 3x + 2 | 2x^2+3x+1 | x^3+3x+2 | y^2+3y+2
3\sqrt{13} | 39 | 3\cdot 13 | \sqrt{39} | 13\sqrt3 | 3+\sqrt{13}
\frac{1}{2} | \frac{2}{1} | 12 | 1,2 | (1,2) | 0.51 | -\frac12
\frac{\pi}{6} | 6\pi | \frac{6}{\pi} | \frac16 | 0.5236
1 \pm \sqrt{19} | 1+\sqrt{19} | 1-\sqrt{19} | 1 \pm 19 | x=1+\sqrt{19} | \sqrt{19} \pm 1
\{1,2\} | 1 | \{1,3\} | \{1,2,3\} | \{12\}
3, 5, 7 | 3,5 | 3,5,8 | 357
5x - 7y + 11z + 4 = 0 | 5x-7y+11z-4=0 | 5x-7y+11z+4 | 5x + 7y + 11z + 4 = 0
(-\infty, 2) \cup (3, \infty) | (-\infty,2) | (-\infty,2]\cup(3,\infty) | (-\infty, 3) \cup (2, \infty) | (2,3)
x > 5 | x \ge 5 | x < 5 | x=5 | 5
x=5 | y=5 | x=-5 | 6
2^{100} | 2^{100}+1 | 2^{101} | 1267650600228229401496703205377
52_8 | 52_9 | 42 | 53_8
\begin{pmatrix} 1 \\ 2 \end{pmatrix} | \begin{pmatrix} 2 \\ 1 \end{pmatrix} | \begin{pmatrix} 1 & 2 \end{pmatrix} | (1,2)
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} | \begin{pmatrix} 1 & 3 \\ 2 & 4 \end{pmatrix} | 1,2,3,4
\text{even} | odd | neve | \text{odd}
\text{(C)} | B | (D) | A
\text{Evelyn} | Evan | Carla
1\frac{4}{5} | \frac{4}{5} | \frac{14}{5} | 1.4
\sin x | \cos x | \sin y | x | \sin 2x
\sin^2 x | \sin x^2 | 2\sin x
\sqrt{x^2} | x
e^x | x^e | e^{-x} | e^{x+1}
\log_2 x | \log_3 x | \ln x
6 - 5i | 6+5i | 5-6i | 1 | 6-5
10,\!080 | 10 | 1008 | 10,81
90^\circ | 9 | 45^\circ
0.3333 | \frac13
3.14 | \pi
1.41 | \sqrt2
\frac{a}{b} | \frac{b}{a} | ab | a-b
f(x)=x^2 | x^3
a-b | b-a
|x-3| | x-3
\infty | -\infty | 0 | 10
0 | \emptyset | 1
y = 2x + 3 | y=2x-3 | 2x | x=2y+3
(3,4] | 3 < x < 4 | [3,4)
50\% | 5 | 0.05 | 500\%
2:3 | 3:2 | 23 | 2/3
0.333333 | \frac13
3, 5, 7 | (7,5,3)
x \ne 3 | (-\infty,3)\cup(3,\infty)
(100,200) | 100200
"""

# reference, answer: why math-verify is not followed there.
INTERVAL = "an interval is its inequality, whichever of the two is the reference"
DIFFER = {
    (r"(3,4]", r"3 < x \le 4"): INTERVAL,
    (r"x \in [-2,7]", r"-2 \le x \le 7"): INTERVAL,
    (r"x \in [-2,7]", r"-2\leq x\leq 7"): INTERVAL,
    (r"(5,\infty)", "x > 5"): INTERVAL,
    (r"(5,\infty)", "5 < x"): INTERVAL,
    (r"(-\infty, 0]", r"x \le 0"): INTERVAL,
    (r"(-\infty, 0]", r"x\leq 0"): INTERVAL,
    (r"(-\infty, 0]", r"0 \ge x"): INTERVAL,
    (r"[3,\infty)", r"x \ge 3"): INTERVAL,
    ("10/4 = 2.5", "10/4"): "an equation of numbers is their value, also where it is the reference",
}
EITHER_WAY = {
    (r"\$32,\!348", "32,348 dollars"): "a unit in plain words is a unit",
    (r"15\mbox{ cm}^2", "15 cm^2"): "a unit in plain words is a unit",
    (r"\emptyset", r"\varnothing"): "two signs of the empty set",
    (r"0.\overline{3}", r"\frac13"): "repeating decimals are exact",
    (r"\sqrt[3]{-8}", "-2"): "an odd root of a negative number is negative, as school has it",
    ("0.333333", r"\frac13"): "a decimal is the fraction that it says, not one that rounds to it",
    ("3, 5, 7", "(7,5,3)"): "parentheses say that there is an order",
    ("2:3", "2/3"): "a ratio is no fraction: it may be a time, or have three parts",
    (r"x \ne 3", r"(-\infty,3)\cup(3,\infty)"): "not read: an exclusion as a union",
    ("(1,2)", r"\{1,2\}"): "a pair has an order, a set has none",
    ("52_8", "52_9"): "the base counts where both have one",
}


def pairs():
    for text, right in ((SAME, True), (DIFFERENT, False)):
        for line in text.strip().splitlines():
            first, *others = [part.strip() for part in line.split(" | ")]
            for other in ([first] if right else []) + others:
                yield first, other, right
            if right:
                for other in others:
                    yield other, first, right


def theirs(reference, answer):
    def read(text):
        return parse(text if "$" in text.replace("\\$", "") else f"\\boxed{{{text}}}")
    try:
        return verify(read(reference), read(answer))
    except Exception:
        return False


def ours(program, cases):
    lines = "".join(json.dumps({"response": f"\\boxed{{{answer}}}", "answer": reference}) + "\n"
                    for reference, answer, _ in cases)
    out = subprocess.run([program, "reward", "--task", "math-strict"], input=lines, text=True, check=True,
                         capture_output=True).stdout
    return [json.loads(line)["correct"] for line in out.splitlines()]


def main():
    cases = list(pairs())
    rows = []
    failed = 0
    for (reference, answer, right), got in zip(cases, ours(sys.argv[1], cases)):
        verdict = theirs(reference, answer)
        why = DIFFER.get((reference, answer)) or EITHER_WAY.get((reference, answer)) or EITHER_WAY.get((answer, reference))
        if got != right or (verdict != got) != (why is not None):
            print(f"{reference} | {answer}: ours {got}, wanted {right}, math-verify {verdict}", file=sys.stderr)
            failed += 1
        rows.append({"reference": reference, "answer": answer, "right": right, "math_verify": verdict,
                     **({"why": why} if why else {})})
    print("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]")
    return failed > 0


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    sys.exit(main())
