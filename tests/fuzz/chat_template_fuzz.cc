// What a template writes itself does not depend on what users write: the text of its own segments
// is the same when all contents are replaced by "x", so no user text is ever taken for the
// template's.
#include <fuzzer/FuzzedDataProvider.h>

#include <array>
#include <string>
#include <vector>

#include "fuzz.h"
#include "text/chat_template.h"
#include "text/chat_template_sources.h"
#include "text/utf8.h"

namespace {

using namespace rsr::text;

constexpr std::array kSources = {kBitnetSource,       kBitnetLoopSource, kLlama3Source,
                                 kLlama3AlwaysSource, kChatmlSource,     kChatmlDefaultSource,
                                 kFalcon3Source};
constexpr std::array kRoles = {"system", "user", "assistant"};

std::string own_text(const std::vector<Segment>& segments) {
  std::string own;
  for (const Segment& segment : segments) {
    if (segment.from_template) own += segment.text;
  }
  return own;
}

std::vector<Message> read_messages(FuzzedDataProvider* in) {
  std::vector<Message> messages;
  const int count = in->ConsumeIntegralInRange(0, 4);
  for (int i = 0; i < count; ++i) {
    const std::string role = in->ConsumeBool() ? std::string(in->PickValueInArray(kRoles))
                                               : in->ConsumeRandomLengthString(20);
    messages.push_back({role, in->ConsumeRandomLengthString(200)});
  }
  return messages;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider in(data, size);
  const TemplateTokens tokens = {in.ConsumeRandomLengthString(12),
                                 in.ConsumeRandomLengthString(12)};
  const bool add_prompt = in.ConsumeBool();
  const bool known = in.ConsumeBool();
  const std::string_view picked = in.PickValueInArray(kSources);
  std::vector<Message> messages = read_messages(&in);
  const std::string unknown = in.ConsumeRemainingBytesAsString();
  const auto chat = ChatTemplate::from_source(known ? picked : unknown, tokens);
  if (!chat.ok()) return 0;
  const auto segments = chat->render(messages, add_prompt);
  if (!segments.ok()) return 0;
  for (size_t i = 0; i < segments->size(); ++i) {
    const Segment& segment = (*segments)[i];
    FUZZ_CHECK(!segment.text.empty());
    FUZZ_CHECK(segment.from_template || !find_invalid_utf8(segment.text));
    FUZZ_CHECK(i == 0 || (*segments)[i - 1].from_template != segment.from_template);
  }
  for (Message& message : messages) message.content = "x";
  const auto plain = chat->render(messages, add_prompt);
  FUZZ_CHECK(plain.ok() && own_text(*plain) == own_text(*segments));
  return 0;
}
