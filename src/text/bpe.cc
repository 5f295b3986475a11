#include "text/bpe.h"

#include <queue>
#include <utility>

#include "base/check.h"
#include "text/utf8.h"

namespace rsr::text {
namespace {

constexpr int32_t kNone = -1;

/// A symbol of the piece in a doubly linked list; merging empties the right one of two.
struct Symbol {
  int32_t id;
  int32_t previous;
  int32_t next;
};

/// A merge that was possible when it was noted, and may not be any more.
struct Candidate {
  int32_t rank;
  int32_t position;
  int32_t id;
  /// For a queue with the smallest rank on top, and the leftmost of equals.
  bool operator<(const Candidate& other) const {
    return rank != other.rank ? rank > other.rank : position > other.position;
  }
};

}  // namespace

uint64_t Bpe::pair_key(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

std::optional<int32_t> Bpe::find(std::string_view token) const {
  const auto it = vocabulary_.find(token);
  return it == vocabulary_.end() ? std::nullopt : std::optional(it->second);
}

const Bpe::Merge* Bpe::find_merge(int32_t left, int32_t right) const {
  const auto it = merges_.find(pair_key(left, right));
  return it == merges_.end() ? nullptr : &it->second;
}

bool Bpe::append_bytes(std::string_view character, std::vector<int32_t>* ids) const {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::vector<int32_t> found;
  for (const char c : character) {
    const auto byte = static_cast<unsigned char>(c);
    const char name[] = {'<', '0', 'x', kHex[byte >> 4], kHex[byte & 15], '>'};
    const auto id = find({name, sizeof name});
    if (!id) return false;
    found.push_back(*id);
  }
  ids->insert(ids->end(), found.begin(), found.end());
  return true;
}

Status Bpe::to_symbols(std::string_view piece, std::vector<int32_t>* ids) const {
  // An unknown character waits until the next one is known not to be fused with it. Bytes of a
  // fallback go in front of a waiting one: odd, but it is what the reference does.
  bool unk_waits = false;
  for (size_t at = 0; at < piece.size();) {
    const std::string_view character = piece.substr(at, decode_utf8(piece, at).length);
    at += character.size();
    if (const auto id = find(character)) {
      if (unk_waits) ids->push_back(*unk_);
      unk_waits = false;
      ids->push_back(*id);
    } else if (byte_fallback_ && append_bytes(character, ids)) {
      continue;
    } else if (unk_) {
      if (unk_waits && !fuse_unk_) ids->push_back(*unk_);
      unk_waits = true;
    }
    // Without an unknown token such a character is dropped, as the reference does.
  }
  if (unk_waits) ids->push_back(*unk_);
  return {};
}

void Bpe::merge_all(std::vector<int32_t>* ids) const {
  const auto count = static_cast<int32_t>(ids->size());
  std::vector<Symbol> symbols;
  symbols.reserve(ids->size());
  std::vector<Candidate> initial;
  for (int32_t i = 0; i < count; ++i) {
    symbols.push_back({(*ids)[i], i - 1, i + 1 < count ? i + 1 : kNone});
    if (i + 1 == count) break;
    const Merge* merge = find_merge((*ids)[i], (*ids)[i + 1]);
    if (merge != nullptr) initial.push_back({merge->rank, i, merge->id});
  }
  std::priority_queue<Candidate> queue({}, std::move(initial));
  const auto note = [&](int32_t left) {
    if (left == kNone || symbols[left].next == kNone) return;
    const Merge* merge = find_merge(symbols[left].id, symbols[symbols[left].next].id);
    if (merge != nullptr) queue.push({merge->rank, left, merge->id});
  };
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    Symbol& left = symbols[top.position];
    if (left.id == kNone || left.next == kNone) continue;
    Symbol& right = symbols[left.next];
    const Merge* merge = find_merge(left.id, right.id);
    if (merge == nullptr || merge->id != top.id) continue;  // a neighbour has changed since
    left.id = top.id;
    left.next = right.next;
    right.id = kNone;
    if (left.next != kNone) symbols[left.next].previous = top.position;
    note(left.previous);
    note(top.position);
  }
  ids->clear();
  for (const Symbol& symbol : symbols) {
    if (symbol.id != kNone) ids->push_back(symbol.id);
  }
}

Status Bpe::encode(std::string_view piece, std::vector<int32_t>* ids) const {
  if (ignore_merges_) {
    if (const auto whole = find(piece)) {
      ids->push_back(*whole);
      return {};
    }
  }
  std::vector<int32_t> own;
  RSR_RETURN_IF_ERROR(to_symbols(piece, &own));
  if (own.size() > 1) merge_all(&own);
  ids->insert(ids->end(), own.begin(), own.end());
  return {};
}

}  // namespace rsr::text
