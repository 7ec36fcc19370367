"""Makes a small reward model, to try recipe `instruct_mining` with: python benchmarks/reward.py --model M --out FOLDER.

TRL's RewardTrainer tunes the model on seed tasks with short outputs: a task's own output is better than that of another
task. It learns to tell what fits from what does not, no more; take a published reward model for real work. Needs the
extra train.
"""

import argparse
import random
from typing import Any

from datasets import Dataset
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from trl.trainer.reward_config import RewardConfig
from trl.trainer.reward_trainer import RewardTrainer

from pipeline import read_seeds

LONGEST = 220  # characters of a prompt and of an output


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a folder or a name on the hub")
    parser.add_argument("--out", required=True, help="a folder for the reward model")
    parser.add_argument("--steps", type=int, default=20, help="of four pairs each")
    args = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    network = AutoModelForSequenceClassification.from_pretrained(args.model, num_labels=1, dtype="float32")
    for config in (network.config, network.config.get_text_config()):
        config.pad_token_id = tokenizer.pad_token_id
    settings = RewardConfig(
        output_dir=args.out,
        max_steps=args.steps,
        per_device_train_batch_size=4,
        learning_rate=5e-5,
        lr_scheduler_type="constant",
        max_length=160,
        save_strategy="no",
        report_to=[],
        bf16=False,
        gradient_checkpointing=False,
    )
    rows = Dataset.from_list(pairs(bool(tokenizer.chat_template)))
    trainer = RewardTrainer(model=network, args=settings, processing_class=tokenizer, train_dataset=rows)
    trainer.train()
    trainer.save_model(args.out)
    tokenizer.save_pretrained(args.out)


def pairs(chat: bool) -> list[dict[str, Any]]:
    """Each task with its own output and, as the worse one, that of another task."""
    seeds = read_seeds("general")
    rows = [
        ("\n\n".join(filter(None, (one.instruction, its.input))), its.output) for one in seeds for its in one.instances
    ]
    rows = [row for row in rows if max(map(len, row)) < LONGEST]
    rng = random.Random(0)
    found: list[dict[str, Any]] = []
    for prompt, chosen in rows:
        rejected = rng.choice([output for _, output in rows if output != chosen])
        row = {"prompt": prompt, "chosen": chosen, "rejected": rejected}
        roles = {"prompt": "user", "chosen": "assistant", "rejected": "assistant"}
        found.append({name: [{"role": roles[name], "content": text}] for name, text in row.items()} if chat else row)
    return found


if __name__ == "__main__":
    main()
