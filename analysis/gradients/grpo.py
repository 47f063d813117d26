"""GRPO by TRL's trainer. Its rollout function gives it the prompts' ids and the answers drawn from them, so that prompts
are the program's and tokens can be counted before they are spent."""
import os

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

from datasets import Dataset  # noqa: E402
from transformers import PrinterCallback, TrainerCallback  # noqa: E402
from trl import GRPOConfig, GRPOTrainer  # noqa: E402


class Watch(TrainerCallback):
    """A checkpoint where one is due; the end where the budget does not allow another step."""

    def __init__(self, course, export):
        self.course, self.export = course, export

    def on_step_end(self, args, state, control, **_):
        self.course.stepped(self.export)
        control.should_training_stop = not self.course.may_step()


def train(policy, model, rollouts, course, options, export):
    def roll(prompts, _trainer):
        numbers = [int(number) for number in prompts]
        answers = rollouts.answer(model, numbers)
        asked = [rollouts.prompts[number] for number in numbers]
        return {"prompt_ids": asked, "completion_ids": answers, "logprobs": None}

    def reward(prompts, completion_ids, **_):
        return rollouts.reward([int(number) for number in prompts], completion_ids)

    small = min(options.batch, options.part)
    config = GRPOConfig(
        output_dir=os.path.join(course.folder, "trainer"), seed=options.seed, use_cpu=model.device.type == "cpu",
        learning_rate=options.rate, lr_scheduler_type="constant", beta=options.kl, num_generations=options.group,
        per_device_train_batch_size=small, gradient_accumulation_steps=options.batch // small, max_steps=1 << 30,
        max_completion_length=course.task.limit, temperature=options.temperature, bf16=options.bf16,
        gradient_checkpointing=False, save_strategy="no", report_to="none", logging_strategy="no", disable_tqdm=True)
    numbered = Dataset.from_list([{"prompt": str(i)} for i in range(len(rollouts.prompts))])
    trainer = GRPOTrainer(model=model, processing_class=policy.tokenizer, args=config, train_dataset=numbered,
                          rollout_func=roll, reward_funcs=reward, callbacks=[Watch(course, export)])
    trainer.remove_callback(PrinterCallback)
    trainer.train()
