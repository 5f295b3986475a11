"""Tiny random models with golden logits and greedy continuations computed by Hugging Face transformers."""
