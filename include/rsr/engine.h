// A language model in two calls: open a directory, generate text.
#pragma once

#include <rsr/linear.h>
#include <rsr/status.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rsr {

/// How keys and values of past tokens are kept.
enum class KvCacheType {
  f32,  ///< as computed
  f16,  ///< rounded to half precision: half the bytes
  i8    ///< a quarter of the bytes, with a scale for each position and head
};

/// How the next token is found among the rows of the head, on the CPU and on devices. Its text is
/// the same either way.
enum class HeadMethod {
  automatic,  ///< a scan where the head is large enough for it to pay
  full,       ///< every logit, always
  scan        ///< an 8-bit copy of the head (half its bytes, made when the model is opened) tells
              ///< which tokens can be the best, and only their logits are computed; where sampling
              ///< needs all logits (no top-k, no min-p), all are
};

/// Guesses of the next tokens. The model reads them along with the token before, in one pass that
/// costs little more, and keeps those that it would have chosen itself: the text is the same either
/// way, whatever the sampling.
enum class Draft {
  none,
  ngram  ///< where the last tokens stood in the context before, they are guessed to go on as then
};

struct EngineOptions {
  ContextOptions context = {};
  /// Where tokens go through the model: "cpu", or a device, "cuda" or "cuda:1". The weights are
  /// copied there when the model is opened. What the answer is does not depend on it: ternary
  /// weights with int8 inputs and 16-bit weights give the same bits on both.
  std::string device = "cpu";
  /// Tokens of context to make room for; 0: what the model was trained for, which is also the most.
  int64_t context_length = 0;
  KvCacheType kv_cache = KvCacheType::f16;
  /// One of Engine::chat_template_names(), in place of the model's own template; empty: its own.
  std::string chat_template = {};
  /// Of a prepared model every byte is checked, which reads the whole file. Otherwise its header
  /// and sizes are, in a time that does not depend on the model's size.
  bool verify = false;
  HeadMethod head = HeadMethod::automatic;
  /// Bytes that indexes for batches may take beside the packed weights (with_batch_index() in
  /// linear.h), matrix by matrix where they should be faster; 0: none. They are made when the model
  /// is opened, 2 to 19 ns per weight and thread, and used for prompts: answers keep their bits.
  int64_t rsr_memory = 0;
  /// The indexes as machine code.
  bool jit = false;
};

/// How one answer is generated. The scores (logits) of the tokens go through these steps, in this
/// order:
///
/// 1. repetition_penalty, for every token that stands in the context (prompts, earlier answers and
///    this one): score < 0 ? score * penalty : score / penalty.
/// 2. logit_bias: added to the score.
/// 3. presence_penalty and frequency_penalty, for tokens of this answer only: score - presence -
///    frequency * (how often the token was generated).
/// 4. At temperature 0 the token with the best score is taken, and the rest does not matter.
///    Otherwise scores are divided by the temperature and softmax makes them probabilities.
/// 5. top_k: only the k likeliest tokens stay.
/// 6. top_p: of these, the smallest number of likeliest tokens whose share of the probability that
///    step 5 left is top_p or more; at least one.
/// 7. min_p: of these, the tokens at least min_p times as likely as the likeliest.
/// 8. One of them is drawn by its probability.
///
/// Among equals the lower id comes first: in step 4, and where steps 5 and 6 cut. Equal seeds give
/// equal text, whatever the number of threads.
///
/// What is optional and not set comes from the model's generation_config.json when that asks to
/// sample ("do_sample"), repetition_penalty in any case; where it is silent, step 4 takes the best
/// token and nothing is changed. A value out of its range is an error that names the option.
struct GenerateOptions {
  /// Most new tokens; 0: until the context is full.
  int64_t max_tokens = 0;
  /// Finite, not negative. 0: greedy.
  std::optional<float> temperature = {};
  /// 0: no limit. More than there are tokens is no limit either.
  std::optional<int64_t> top_k = {};
  /// Above 0, at most 1, which is no limit.
  std::optional<float> top_p = {};
  /// 0 (no limit) to 1.
  float min_p = 0.0f;
  /// Finite, above 0. 1: none.
  std::optional<float> repetition_penalty = {};
  /// -2 to 2, as OpenAI defines them.
  float presence_penalty = 0.0f;
  float frequency_penalty = 0.0f;
  /// Token id to a bias of -100 to 100.
  std::map<int32_t, float> logit_bias = {};
  uint64_t seed = 0;
  /// Feed the prompt as it is, without the model's chat template.
  bool raw = false;
  /// Do not end at the model's end-of-text tokens: they are read on like others and give no text.
  bool ignore_eos = false;
  /// The answer ends where the first of these strings is complete in its text. The string itself is
  /// not passed on, and text that may be its beginning only when it has turned out not to be. Not
  /// empty, valid UTF-8.
  std::vector<std::string> stop = {};
  Draft draft = Draft::none;
};

enum class FinishReason {
  stop,      ///< the model ended its answer, or a stop string did
  length,    ///< max_tokens were generated, or the context is full
  cancelled  ///< the callback returned false
};

/// What a generation did. Seconds are wall time.
struct GenerateStats {
  /// Tokens read before the first new one, and the time that took.
  int64_t prompt_tokens = 0;
  double prompt_seconds = 0;
  /// Tokens in front of these that were not read, because the session held their keys and values:
  /// those of earlier turns, of a loaded prompt cache, of a prompt that was cancelled.
  int64_t cached_tokens = 0;
  /// Tokens generated, the one that ends an answer included.
  int64_t new_tokens = 0;
  /// Forward passes after the prompt's and their time (with sampling, without the callback). The
  /// first new token comes from the prompt's pass, so without drafts this is new_tokens - 1.
  int64_t decode_steps = 0;
  double decode_seconds = 0;
  /// Tokens that were guessed, and those of them that the model chose, too.
  int64_t drafted_tokens = 0;
  int64_t accepted_tokens = 0;
  /// Bytes that decoding reads for a token, on average: in each pass every packed matrix and norm,
  /// the head (or what is scanned of it), and the keys and values of the tokens so far.
  double bytes_per_token = 0;
  /// Rows of the head that a scan of it left to be multiplied in full, the mean over the tokens
  /// that were found so; 0: there was no scan.
  double head_candidates = 0;
  FinishReason finish = FinishReason::stop;
};

/// Receives the text, always whole UTF-8 characters: after each token what became complete with it,
/// and nothing (an empty piece) now and then while a long prompt is read. Returning false ends the
/// generation; the session remains usable, and a prompt that was not read to its end is forgotten
/// as a turn; its tokens that were read are held like those of a loaded prompt cache.
using TextCallback = std::function<bool(std::string_view piece)>;

/// A conversation: its own cache of keys and values over the engine's shared weights.
class Session {
 public:
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  /// Answers `prompt`. Where the model has a chat template (and the prompt is not raw), it is the
  /// user's next turn: the model then sees exactly the tokens of the whole conversation as the
  /// template writes it, answers being the text that was passed on. Tokens that the cache holds
  /// already are not read again. A raw prompt follows every token so far, and ends the
  /// conversation: the next turn of a template would begin another one behind it.
  ///
  /// Errors: a prompt that does not fit the context (limit_exceeded, with both numbers), bad
  /// options; the session is then as it was before.
  Result<GenerateStats> generate(std::string_view prompt, const GenerateOptions& options,
                                 const TextCallback& on_text);

  /// Puts a system message in front of the conversation, the present one included (its next turn is
  /// then read anew); an empty text takes it away. Raw prompts know none. Errors: a model without a
  /// chat template, a template without a system role, text that is not UTF-8.
  Status set_system(std::string_view text);

  /// Forgets every turn; the system message stays.
  void reset();

  /// The ids of everything so far, the begin-of-text id included.
  std::vector<int32_t> tokens() const;

  /// Takes keys and values from a file of save_prompt_cache(), and gives the number of tokens that
  /// are held now: those of the file as far as they fit the context. They are no turn and change no
  /// answer: a prompt that begins with some of them need not read these. Forgets every turn, as
  /// reset() does. All of the file is read and checked.
  ///
  /// Errors, which name the file, and leave the session as it was: no such file (not_found); no
  /// prompt cache, or one that was damaged (corrupt_data); one of another model, another type of
  /// keys and values, or another program or machine, whose numbers could differ in a bit
  /// (invalid_argument, with both); a later version of the container (unsupported).
  Result<int64_t> load_prompt_cache(const std::string& path);

  /// Writes the keys and values of every token up to the end of the latest prompt, or of what was
  /// read of it when it was cancelled, and gives whether anything was written. A prompt cache in
  /// `path` is replaced in one step, unless it begins with these tokens already; anything else that
  /// is there is an error, that of load_prompt_cache(), and stays. So does what is there on errors
  /// of the disk.
  Result<bool> save_prompt_cache(const std::string& path) const;

  struct Impl;

 private:
  friend class Engine;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// A loaded model. Sessions keep it alive.
class Engine {
 public:
  /// Reads a Hugging Face model directory (config.json, tokenizer.json, safetensors), or one that
  /// prepare_model() made of it. What is not understood is refused with its name.
  static Result<Engine> open(const std::string& directory, const EngineOptions& options = {});

  Session session() const;

  /// What had to be changed when a prepared model was loaded, for people: it is for a machine with
  /// other instructions, and its weights were packed anew. Empty when nothing was.
  std::string notice() const;

  /// What EngineOptions::chat_template may name.
  static std::vector<std::string> chat_template_names();

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  explicit Engine(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

struct PrepareModelOptions {
  /// Instruction set to pack for, also one that this machine lacks (ContextOptions has the names).
  /// Empty: the environment variable RSR_FORCE_ISA when it is set, else the best of this machine.
  std::string isa = {};
  /// 0: as many as this process may really use.
  int threads = 0;
  /// Take the place of a prepared model (or an empty directory) that is there. Nothing else is.
  bool replace = false;
  /// Called now and then with bytes of the source that are done, and all of them; false ends the
  /// work with the error `cancelled`.
  std::function<bool(int64_t done, int64_t total)> on_progress = {};
};

/// What was made.
struct PreparedModel {
  int64_t bytes = 0;         ///< of its weights' file
  int64_t source_bytes = 0;  ///< of the tensors that were read
  int64_t layers = 0;
  double seconds = 0;   ///< wall time
  std::string isa;      ///< what it is packed for
  std::string formats;  ///< formats of its packed weights, such as "t5"; empty: all are dense
};

/// Makes `target` a prepared model from the model directory `source`: its weights packed, in one
/// file that Engine::open() maps and reads in place, and a copy of its small files, so that the
/// source is not needed any more. Tensors pass one by one: at most about a gigabyte is held besides
/// the largest. `target` appears when it is complete; until then the work is in
/// `target`.rsr-partial, which is removed on errors, and by the next call after a crash.
///
/// Errors name what and where: those of the source's files, a target that is there, a full disk, a
/// source that is a prepared model.
Result<PreparedModel> prepare_model(const std::string& source, const std::string& target,
                                    const PrepareModelOptions& options = {});

}  // namespace rsr
