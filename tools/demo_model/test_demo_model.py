"""Tests of the parts that the exported files depend on: python -m unittest."""

import tempfile
import unittest
from pathlib import Path

import torch

import build_tokenizer
import number_words as nw
from data import IGNORE, Encoder, collate, cut_batches
from model import BitNet, ModelConfig, fake_quant_activation, ternary, weight_scale
from packing import pack, unpack

SMALL = ModelConfig(vocab_size=432, hidden_size=64, intermediate_size=96, num_attention_heads=2, num_key_value_heads=1)


class NumberWords(unittest.TestCase):
    def test_spelling(self):
        expected = {7: "seven", 21: "twenty-one", 100: "one hundred", 142: "one hundred forty-two", 200: "two hundred"}
        for number, words in expected.items():
            self.assertEqual(nw.number_to_words(number), words)
        self.assertEqual(nw.answer_text(99, 101), "ninety-nine, one hundred, one hundred one")

    def test_evaluation_pairs_are_never_trained(self):
        training = set(nw.all_pairs())
        for span in (20, 60):
            self.assertFalse(training & {(a, b) for a, b, _ in nw.draw_eval_prompts(200, span, seed=0)})
        self.assertIn(nw.SHOWCASE_PAIR, training)


class Packing(unittest.TestCase):
    def test_worked_example(self):
        rows = [[0, -1], [-1, 1], [-1, 1], [-1, 1], [1, 0], [0, -1], [1, -1], [1, -1]]
        packed = torch.tensor([[0xA1, 0x18], [0x90, 0x0A]], dtype=torch.uint8)
        self.assertEqual(unpack(packed).tolist(), rows)
        self.assertTrue(torch.equal(pack(torch.tensor(rows)), packed))

    def test_code_three_is_refused(self):
        with self.assertRaises(ValueError):
            unpack(torch.tensor([[3]], dtype=torch.uint8))


class Numerics(unittest.TestCase):
    def test_activations_round_half_to_even(self):
        x = torch.tensor([127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5])
        self.assertEqual(fake_quant_activation(x).tolist(), [127, 0, 2, 2, 0, -2, -2])

    def test_frozen_model_equals_the_training_model(self):
        torch.manual_seed(0)
        net, ids = BitNet(SMALL), torch.arange(12).reshape(1, 12)
        with torch.no_grad():
            expected = net(ids)[0]
            for module in net.bit_linears().values():
                scale = weight_scale(module.weight)
                module.freeze(ternary(module.weight, scale), scale)
            torch.testing.assert_close(net(ids)[0], expected)

    def test_cache_equals_the_whole_sequence(self):
        torch.manual_seed(0)
        net, ids, cache = BitNet(SMALL), torch.arange(6).reshape(1, 6), None
        with torch.no_grad():
            expected = net(ids)[0][0, -1]
            _, cache = net(ids[:, :5])
            torch.testing.assert_close(net(ids[:, 5:], cache)[0][0, -1], expected)


class Data(unittest.TestCase):
    def setUp(self):
        with tempfile.TemporaryDirectory() as folder:
            tokenizer = build_tokenizer.build()
            build_tokenizer.check(tokenizer)
            tokenizer.save(f"{folder}/tokenizer.json")
            self.encoder = Encoder(Path(folder) / "tokenizer.json")

    def test_answers_are_what_the_tokenizer_gives(self):
        for a, b in ((1, 60), (88, 89), (140, 200)):
            ids = self.encoder.tokenizer.encode(nw.answer_text(a, b), add_special_tokens=False).ids
            self.assertEqual(self.encoder.answer(a, b), [*ids, self.encoder.end_id])

    def test_only_the_answer_is_a_target(self):
        example = self.encoder.example(3, 4, nw.prompt_text(3, 4, True, False))
        _, targets = collate([example], self.encoder.end_id)
        self.assertEqual([t for t in targets[0].tolist() if t != IGNORE], self.encoder.answer(3, 4))

    def test_batches_keep_every_example_within_the_budget(self):
        examples = [self.encoder.example(*p) for p in nw.draw_eval_prompts(50, 60, seed=3)]
        batches = cut_batches(examples, 2048)
        self.assertEqual(sum(map(len, batches)), 50)
        for batch in batches:
            self.assertLessEqual(collate(batch, 0)[0].numel(), 2048)


if __name__ == "__main__":
    unittest.main()
