"""Train the demo model with quantisation in the loop (straight-through estimator).

The state (weights, optimiser, sampler) is saved every few minutes; a second
call with the same --run directory goes on from there.
"""

import argparse
import json
import math
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

import number_words as nw
from data import IGNORE, PairSampler, collate, cut_batches, draw_batches
from encoder import Encoder
from model import BitNet, ModelConfig

WARMUP_STEPS = 200
CURRICULUM = ((0.3, 6), (0.5, 20), (1.0, nw.MAX_SPAN))  # (until share of steps, longest span)
DECAY_UNTIL = 0.5  # weight decay is on for this share of the steps
FINAL_LR = 0.02  # of the peak
SAVE_SECONDS = 150
EVAL_EVERY = 200
EVAL_SPANS = (6, 20, nw.MAX_SPAN)
EVAL_PROMPTS = 100


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Linear warmup, then cosine decay to FINAL_LR * peak."""
    if step < WARMUP_STEPS:
        return peak * (step + 1) / WARMUP_STEPS
    progress = (step - WARMUP_STEPS) / max(1, steps - WARMUP_STEPS)
    return peak * (FINAL_LR + (1 - FINAL_LR) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def longest_span(step: int, steps: int) -> int:
    """The longest span that the curriculum allows at this step."""
    return next(span for share, span in CURRICULUM if step < share * steps or share == 1.0)


def make_optimizer(net: BitNet, lr: float, decay: float) -> torch.optim.AdamW:
    """AdamW; weight decay on matrices only."""
    matrices = [p for p in net.parameters() if p.ndim == 2]
    vectors = [p for p in net.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98), fused=True)


def loss_of(net: BitNet, inputs: Tensor, targets: Tensor) -> Tensor:
    """Mean cross entropy over the answer tokens of a batch."""
    logits, _ = net(inputs)
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORE)


@torch.no_grad()
def exact_share(net: BitNet, encoder: Encoder, max_span: int, tokens: int) -> float:
    """Share of held-out prompts answered exactly.

    Every answer token being the argmax given its correct prefix is the same as
    greedy decoding giving exactly this answer. The draw is not evaluate.py's.
    """
    prompts = nw.draw_eval_prompts(EVAL_PROMPTS, max_span, seed=1)
    right = 0
    for batch in cut_batches([encoder.example(*p) for p in prompts], tokens):
        inputs, targets = map(torch.from_numpy, collate(batch, encoder.end_id))
        hit = (net(inputs)[0].argmax(-1) == targets) | (targets == IGNORE)
        right += int(hit.all(-1).sum())
    return right / EVAL_PROMPTS


def save(path: Path, state: dict) -> None:
    """Write a checkpoint so that an interruption never leaves half a file."""
    torch.save(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)


class Run:
    """A training run: model, optimiser, sampler and the position in the schedule."""

    def __init__(self, args: argparse.Namespace):
        self.args = args
        torch.manual_seed(args.seed)
        self.encoder = Encoder(args.tokenizer)
        self.config = ModelConfig(self.encoder.tokenizer.get_vocab_size())
        self.net = BitNet(self.config)
        self.optimizer = make_optimizer(self.net, args.lr, args.weight_decay)
        self.sampler = PairSampler(args.seed)
        self.step = self.tokens = 0
        self.seconds = 0.0
        self.checkpoint = args.run / "last.pt"
        if self.checkpoint.exists():
            self.load(torch.load(self.checkpoint, weights_only=False))

    def load(self, state: dict) -> None:
        """Continue from a checkpoint."""
        self.net.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.sampler.rng.setstate(state["rng"])
        self.step, self.tokens, self.seconds = state["step"], state["tokens"], state["seconds"]

    def save(self) -> None:
        """Write the checkpoint of this moment."""
        state = {
            "config": self.config.as_dict(),
            "model": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rng": self.sampler.rng.getstate(),
            "step": self.step,
            "tokens": self.tokens,
            "seconds": self.seconds,
        }
        save(self.checkpoint, state)

    def train_step(self, inputs: Tensor, targets: Tensor) -> float:
        """One optimiser step on one batch; returns the loss."""
        steps, args = self.args.steps, self.args
        for i, group in enumerate(self.optimizer.param_groups):
            group["lr"] = learning_rate(self.step, steps, args.lr)
            if i == 0:
                group["weight_decay"] = args.weight_decay if self.step < DECAY_UNTIL * steps else 0.0
        loss = loss_of(self.net, inputs, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        self.tokens += inputs.numel()
        return loss.item()

    def report(self, losses: list[float]) -> None:
        """Print one line of progress and append it to the log."""
        line = {"step": self.step, "loss": round(sum(losses) / len(losses), 5), "tokens": self.tokens}
        line |= {"seconds": round(self.seconds), "tokens_per_s": round(self.tokens / self.seconds)}
        if self.step % EVAL_EVERY == 0:
            for span in EVAL_SPANS:
                line[f"exact_{span}"] = exact_share(self.net, self.encoder, span, self.args.batch_tokens)
        print(json.dumps(line), flush=True)
        with (self.args.run / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")

    def loop(self) -> None:
        """Train until the last step."""
        losses: list[float] = []
        last_save = time.monotonic()
        while self.step < self.args.steps:
            span = longest_span(self.step, self.args.steps)
            for batch in draw_batches(self.encoder, self.sampler, span, self.args.batch_tokens):
                begin = time.monotonic()
                losses.append(self.train_step(*map(torch.from_numpy, batch)))
                self.seconds += time.monotonic() - begin
                if self.step % 100 == 0:
                    self.report(losses)
                    losses = []
                if self.step >= self.args.steps:
                    break
            if time.monotonic() - last_save > SAVE_SECONDS or self.step >= self.args.steps:
                self.save()
                last_save = time.monotonic()


def main() -> None:
    """Parse the options and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="directory of the checkpoint and the log")
    parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer.json")
    parser.add_argument("--steps", type=int, default=7000)
    parser.add_argument("--batch-tokens", type=int, default=3072)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--weight-decay", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    args.run.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    Run(args).loop()


if __name__ == "__main__":
    main()
