#!/usr/bin/env python3
"""Greedy answers of one engine to a batch of prompts, timed: one JSON line.

  python engines.py coppice PROGRAM MODEL_DIR PROMPTS [--rows 64] [--new 64] [--threads 1] [--type T]
  python engines.py vllm    MODEL_DIR PROMPTS         in a Python that has vllm
  python engines.py llama   MODEL.gguf PROMPTS        in a Python that has llama_cpp

PROMPTS: JSON lines {"ids": [...]}. Tokens are counted per second of processor time, which other load
distorts less than wall time: prompt tokens until the first answer token of every row, answer tokens
from there. Loading and packing the weights counts for neither.
"""
import argparse
import json
import os
import resource
import subprocess
import time


def take_standard_output():
    """A file for the result alone: what an engine writes to standard output goes to standard error from here on."""
    result = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return result


class Clock:
    """Processor and wall seconds since it was made, of this process or of its children."""

    def __init__(self, who=resource.RUSAGE_SELF):
        self.who, self.processor, self.wall = who, 0, 0
        self.processor, self.wall = self.read()

    def read(self):
        usage = resource.getrusage(self.who)
        return usage.ru_utime + usage.ru_stime - self.processor, time.monotonic() - self.wall


class Coppice:
    """A process for each call; what one row of one token takes is its start."""

    def __init__(self, options):
        self.options = options
        self.start = None

    def answer(self, prompts, new):
        if self.start is None:
            self.start, _ = self.run([prompts[0][:1]], 1)
        times, answers = self.run(prompts, new)
        return tuple(a - b for a, b in zip(times, self.start)), answers

    def run(self, prompts, new):
        clock = Clock(resource.RUSAGE_CHILDREN)
        text = "".join(json.dumps({"ids": ids}) + "\n" for ids in prompts)
        done = subprocess.run([self.options.what[0], "generate", "--model", self.options.what[1], "--max-new-tokens", str(new),
                               "--batch", str(len(prompts)), "--threads", str(self.options.threads), "--backend", "cpu"],
                              input=text, stdout=subprocess.PIPE, text=True, check=True)
        return clock.read(), [json.loads(line)["ids"] for line in done.stdout.splitlines()]


class Vllm:
    def __init__(self, options):
        threads = options.threads
        os.environ.update(VLLM_ENABLE_V1_MULTIPROCESSING="0", VLLM_CPU_KVCACHE_SPACE="2", HF_HUB_OFFLINE="1",
                          VLLM_NO_USAGE_STATS="1", VLLM_LOGGING_LEVEL="WARNING", OMP_NUM_THREADS=str(threads),
                          VLLM_CPU_OMP_THREADS_BIND="0" if threads == 1 else f"0-{threads - 1}")
        import vllm
        self.parameters = vllm.SamplingParams
        longest = max(len(ids) for ids in options.prompts)
        self.engine = vllm.LLM(model=options.what[0], dtype=options.type, max_model_len=longest + options.new + 8,
                               max_num_seqs=options.rows, enable_prefix_caching=False, disable_log_stats=True)
        self.answer(options.prompts[:2], 2)  # what is made at the first call

    def answer(self, prompts, new, to_the_end=False):
        """Greedy answers of at most `new` tokens; to_the_end: of as many, whatever would end them."""
        clock = Clock()
        got = self.engine.generate([{"prompt_token_ids": ids} for ids in prompts],
                                   self.parameters(temperature=0, max_tokens=new, ignore_eos=to_the_end), use_tqdm=False)
        return clock.read(), [list(one.outputs[0].token_ids) for one in got]

    def reload(self, folder):
        """Takes the weights of another folder: processor and wall seconds."""
        clock = Clock()
        self.engine.collective_rpc("reload_weights", kwargs={"weights_path": folder})
        self.engine.reset_prefix_cache()
        return clock.read()


class Llama:
    """Sequences of one context share its cache; a batch has at most BATCH tokens of them."""

    BATCH = 2048

    def __init__(self, options):
        import llama_cpp
        import numpy
        self.lib, self.numpy = llama_cpp, numpy
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(options.what[0].encode(), llama_cpp.llama_model_default_params())
        self.vocabulary = llama_cpp.llama_model_get_vocab(self.model)
        self.size = llama_cpp.llama_vocab_n_tokens(self.vocabulary)
        self.options = options
        self.answer(options.prompts[:2], 2)

    def context(self, prompts, new):
        wanted = self.lib.llama_context_default_params()
        wanted.n_ctx = (sum(map(len, prompts)) + len(prompts) * (new + 1) + 255) // 256 * 256
        wanted.n_batch, wanted.n_ubatch, wanted.n_seq_max, wanted.kv_unified = self.BATCH, 512, len(prompts), True
        wanted.n_threads = wanted.n_threads_batch = self.options.threads
        return self.lib.llama_init_from_model(self.model, wanted)

    def decode(self, context, batch, rows, latest):
        """Runs `rows` of (token, position, sequence, whether its logits are wanted)."""
        for first in range(0, len(rows), self.BATCH):
            part = rows[first:first + self.BATCH]
            for i, (token, position, sequence, wanted) in enumerate(part):
                batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, position, 1
                batch.seq_id[i][0], batch.logits[i] = sequence, wanted
            batch.n_tokens = len(part)
            if self.lib.llama_decode(context, batch) != 0:
                raise SystemExit("llama_decode failed")
            for i, (_, _, sequence, wanted) in enumerate(part):
                if wanted:
                    logits = self.lib.llama_get_logits_ith(context, i)
                    values = self.numpy.ctypeslib.as_array(logits, shape=(self.size,))
                    latest[sequence] = int(values.argmax())

    def answer(self, prompts, new):
        context, batch = self.context(prompts, new), self.lib.llama_batch_init(self.BATCH, 0, 1)
        clock, latest = Clock(), {}
        self.decode(context, batch, [(token, at, row, at == len(ids) - 1)
                                     for row, ids in enumerate(prompts) for at, token in enumerate(ids)], latest)
        answers = [[latest[row]] for row in range(len(prompts))]
        for step in range(new - 1):
            live = [row for row in latest if not self.lib.llama_vocab_is_eog(self.vocabulary, latest[row])
                    and len(answers[row]) == step + 1]
            if not live:
                break
            self.decode(context, batch, [(latest[row], len(prompts[row]) + step, row, True) for row in live], latest)
            for row in live:
                answers[row].append(latest[row])
        times = clock.read()
        self.lib.llama_batch_free(batch)
        self.lib.llama_free(context)
        return times, answers


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("who", choices=["coppice", "vllm", "llama"])
    parser.add_argument("what", nargs="+")
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--new", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--type", default="bfloat16", help="what vLLM computes in")
    options = parser.parse_args()
    result = take_standard_output()
    with open(options.what.pop(), encoding="utf-8") as lines:
        options.prompts = [json.loads(line)["ids"] for line in lines][:options.rows]
    if len(options.prompts) < options.rows:
        raise SystemExit(f"engines: {len(options.prompts)} prompts are too few for {options.rows} rows")
    engine = {"coppice": Coppice, "vllm": Vllm, "llama": Llama}[options.who](options)
    first, ones = engine.answer(options.prompts, 1)
    whole, answers = engine.answer(options.prompts, options.new)
    prompt, decoded = sum(map(len, options.prompts)), sum(map(len, answers)) - sum(map(len, ones))
    print(json.dumps({"engine": options.who, "rows": options.rows, "threads": options.threads, "prompt_tokens": prompt,
                      "decoded": decoded, "prompt": prompt / first[0], "decode": decoded / (whole[0] - first[0]),
                      "prompt_wall": prompt / first[1], "decode_wall": decoded / (whole[1] - first[1])}), file=result)


if __name__ == "__main__":
    main()
