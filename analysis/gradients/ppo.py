"""PPO, which TRL no longer has: a value head on the model, generalised advantages, the clipped ratio, and the divergence
from the base as a cost of each token.

Shapes: B answers of a part of the batch, T tokens of the longest of them."""
import copy
import random

import torch
from torch.nn.functional import log_softmax

GAMMA, LAMBDA = 1.0, 0.95
CLIP, VALUE_CLIP, VALUE_WEIGHT, VALUE_RATE = 0.2, 0.2, 0.1, 1e-3
EPOCHS, LONGEST_GRADIENT = 2, 1.0


class Batch:
    """Prompts padded on the left and answers on the right, so that all answers begin in one column."""

    def __init__(self, prompts, answers, pad, device):
        before, after = max(map(len, prompts)), max(map(len, answers))
        ids, mask = [], []
        for prompt, answer in zip(prompts, answers):
            left, right = before - len(prompt), after - len(answer)
            ids.append([pad] * left + prompt + answer + [pad] * right)
            mask.append([0] * left + [1] * (len(prompt) + len(answer)) + [0] * right)
        self.ids, self.mask = torch.tensor(ids, device=device), torch.tensor(mask, device=device)
        self.answers, self.said = self.ids[:, before:], self.mask[:, before:].float()  # [B, T]
        self.length = after


def read(model, batch, temperature, head=None):
    """Log-probabilities of the answers' tokens [B, T]; with a head also the values before each [B, T]."""
    out = model(input_ids=batch.ids, attention_mask=batch.mask, position_ids=(batch.mask.cumsum(-1) - 1).clamp(min=0),
                logits_to_keep=batch.length + 1, output_hidden_states=head is not None, use_cache=False)
    logits = out.logits[:, -batch.length - 1:-1]
    logs = log_softmax(logits.float() / temperature, -1).gather(-1, batch.answers.unsqueeze(-1)).squeeze(-1)
    if head is None:
        return logs
    return logs, head(out.hidden_states[-1][:, -batch.length - 1:-1]).squeeze(-1)


def advantages(rewards, values, said):
    """Generalised advantages of each token and the returns that values should have had. All [B, T]."""
    found, last = torch.zeros_like(rewards), torch.zeros_like(rewards[:, 0])
    for t in reversed(range(rewards.shape[1])):
        after = values[:, t + 1] * said[:, t + 1] if t + 1 < rewards.shape[1] else torch.zeros_like(last)
        last = (rewards[:, t] + GAMMA * after - values[:, t] + GAMMA * LAMBDA * last) * said[:, t]
        found[:, t] = last
    return found, found + values


def whiten(parts):
    """The advantages of all parts of a batch, with mean 0 and variance 1 over its tokens."""
    every = torch.cat([part["advantages"][part["batch"].said > 0] for part in parts])
    for part in parts:
        part["advantages"] = (part["advantages"] - every.mean()) / (every.std() + 1e-6)


def loss_of(part, logs, values):
    said, ratio = part["batch"].said, (logs - part["logs"]).exp()
    gain = torch.min(ratio * part["advantages"], ratio.clamp(1 - CLIP, 1 + CLIP) * part["advantages"])
    near = part["values"] + (values - part["values"]).clamp(-VALUE_CLIP, VALUE_CLIP)
    miss = torch.max((values - part["returns"]) ** 2, (near - part["returns"]) ** 2)
    return ((VALUE_WEIGHT * miss / 2 - gain) * said).sum()


def looked_at(policy, model, reference, head, batch, rewards, options):
    """What the model before the step says of a part, and how good its tokens were."""
    with torch.no_grad(), policy.arithmetic():
        logs, values = read(model, batch, options.temperature, head)
        if reference is None:
            with model.disable_adapter():
                base = read(model, batch, options.temperature)
        else:
            base = read(reference, batch, options.temperature)
    values, earned = values.float(), -options.kl * (logs - base) * batch.said
    last = batch.said.sum(1).long() - 1
    earned[torch.arange(len(last)), last] += torch.tensor(rewards, device=earned.device)
    found, returns = advantages(earned, values, batch.said)
    return {"batch": batch, "logs": logs, "values": values, "advantages": found, "returns": returns}


class Questions:
    """Their numbers in random order, all of them before any comes again."""

    def __init__(self, count, seed):
        self.chance, self.count, self.left = random.Random(seed), count, []

    def take(self, count):
        while len(self.left) < count:
            self.left += self.chance.sample(range(self.count), self.count)
        taken, self.left = self.left[:count], self.left[count:]
        return taken


def train(policy, model, rollouts, course, options, export):
    reference = None if options.lora else copy.deepcopy(model).requires_grad_(False)
    head = torch.nn.Linear(model.config.get_text_config().hidden_size, 1, device=model.device)
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    groups = [{"params": trained, "lr": options.rate}, {"params": head.parameters(), "lr": VALUE_RATE}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
    questions = Questions(len(rollouts.prompts), options.seed)
    while course.may_step():
        numbers = questions.take(options.batch)
        answers = rollouts.answer(model, numbers)
        rewards, parts = rollouts.reward(numbers, answers), []
        for first in range(0, options.batch, options.part):
            some = slice(first, first + options.part)
            asked = [rollouts.prompts[number] for number in numbers[some]]
            batch = Batch(asked, answers[some], policy.pad, model.device)
            parts.append(looked_at(policy, model, reference, head, batch, rewards[some], options))
        whiten(parts)
        tokens = sum(float(part["batch"].said.sum()) for part in parts)
        for _ in range(EPOCHS):
            optimizer.zero_grad()
            for part in parts:
                with policy.arithmetic():
                    logs, values = read(model, part["batch"], options.temperature, head)
                (loss_of(part, logs, values.float()) / tokens).backward()
            torch.nn.utils.clip_grad_norm_([*trained, *head.parameters()], LONGEST_GRADIENT)
            optimizer.step()
        course.stepped(export)
