"""A model to be trained: its weights in float32, answers drawn from it, and the way back to a folder of a model."""
import copy
import glob
import os
import shutil

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
from transformers.utils.logging import disable_progress_bar

LORA_RANK, LORA_ALPHA = 16, 32


class Policy:
    """`stop_texts` end an answer and are no part of it, besides the model's own stop tokens."""

    def __init__(self, folder, device, bf16, stop_texts):
        self.folder, self.device, self.bf16, self.stop_texts = folder, device, bf16, stop_texts
        disable_progress_bar()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).to(device)
        declared = self.model.generation_config.eos_token_id
        stops = [] if declared is None else declared if isinstance(declared, list) else [declared]
        self.stops = sorted({*stops, self.tokenizer.eos_token_id} - {None})
        if not self.stops:
            raise SystemExit(f"gradients: {folder} names no token that ends an answer")
        # What the folder says of choosing tokens would join what draw() says, but is in no log-probability of a step.
        self.model.generation_config = GenerationConfig()
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token_id = self.stops[0]
        self.pad = self.tokenizer.pad_token_id

    def arithmetic(self):
        """In which products are computed: bf16 if that was asked for; weights and their steps stay in float32."""
        return torch.autocast(self.device, torch.bfloat16, enabled=self.bf16)

    def draw(self, model, prompts, limit, temperature):
        """An answer to each prompt, in token ids; one that has ended has its stop token, or the one that ends a stop
        text."""
        width = max(map(len, prompts))
        ids = [[self.pad] * (width - len(prompt)) + prompt for prompt in prompts]
        mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        how = GenerationConfig(do_sample=True, temperature=temperature, top_k=0, top_p=1.0, max_new_tokens=limit,
                               eos_token_id=self.stops, pad_token_id=self.pad, stop_strings=self.stop_texts or None)
        with torch.no_grad(), self.arithmetic():
            drawn = model.generate(input_ids=torch.tensor(ids, device=model.device), generation_config=how,
                                   attention_mask=torch.tensor(mask, device=model.device), tokenizer=self.tokenizer)
        return [self._cut(answer) for answer in drawn[:, width:].tolist()]

    def _cut(self, answer):
        for i, token in enumerate(answer):
            if token in self.stops or self._has_stop_text(answer[:i + 1]):
                return answer[:i + 1]
        return answer

    def _has_stop_text(self, ids):
        text = self.text(ids) if self.stop_texts else ""
        return any(stop in text for stop in self.stop_texts)

    def said(self, answer):
        """An answer's tokens without its stop token."""
        return answer[:-1] if answer and answer[-1] in self.stops else answer

    def response(self, ids):
        """What an answer says, up to a stop text."""
        text = self.text(ids)
        return text[:min([text.index(stop) for stop in self.stop_texts if stop in text], default=len(text))]

    def text(self, ids):
        return self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)

    def export(self, model, out):
        """The trained weights under the base's names and types, beside the base's other files."""
        if hasattr(model, "merge_and_unload"):
            model = copy.deepcopy(model).merge_and_unload()
        state = model.state_dict()
        os.makedirs(out)
        for name in os.listdir(self.folder):
            if os.path.isfile(os.path.join(self.folder, name)) and ".safetensors" not in name:
                shutil.copy(os.path.join(self.folder, name), out)
        tensors = {}
        for path in sorted(glob.glob(os.path.join(glob.escape(self.folder), "*.safetensors"))):
            with safe_open(path, "pt") as base:
                for name in base.keys():
                    if name not in state:
                        raise SystemExit(f"gradients: transformers knows no {name} of {path}: it cannot be trained")
                    tensors[name] = state[name].detach().to("cpu", base.get_tensor(name).dtype).contiguous().clone()
        save_file(tensors, os.path.join(out, "model.safetensors"), metadata={"format": "pt"})


def with_lora(model):
    from peft import LoraConfig, get_peft_model
    adapters = LoraConfig(r=LORA_RANK, lora_alpha=LORA_ALPHA, lora_dropout=0.0, target_modules="all-linear",
                          task_type="CAUSAL_LM")
    return get_peft_model(model, adapters)
