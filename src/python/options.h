// Options of the library as Python sets them: attribute by attribute, enumerations by name.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "python/errors.h"
#include "rsr/engine.h"

namespace rsr::python {

template <class T, size_t n>
using Names = std::array<std::pair<std::string_view, T>, n>;

/// The value of that name; another name is an error that lists the known ones.
template <class T, size_t n>
T from_name(const Names<T, n>& names, const char* option, std::string_view name) {
  std::string known;
  for (const auto& [key, value] : names) {
    if (key == name) return value;
    known += (known.empty() ? "" : ", ") + std::string(key);
  }
  throw StatusError(
      {ErrorCode::invalid_argument,
       std::string(option) + " is '" + std::string(name) + "', must be one of: " + known});
}

template <class T, size_t n>
std::string_view name_of(const Names<T, n>& names, T value) {
  for (const auto& [key, known] : names) {
    if (known == value) return key;
  }
  return "";
}

inline constexpr Names<Inputs, 3> kInputs{
    {{"any", Inputs::any}, {"int8", Inputs::int8}, {"floats", Inputs::floats}}};
inline constexpr Names<Residency, 2> kResidencies{
    {{"memory", Residency::memory}, {"cache", Residency::cache}}};
inline constexpr Names<Algorithm, 3> kAlgorithms{{{"automatic", Algorithm::automatic},
                                                  {"multiply_add", Algorithm::multiply_add},
                                                  {"rsr", Algorithm::rsr}}};
inline constexpr Names<RsrForm, 3> kForms{
    {{"scatter", RsrForm::scatter}, {"fold", RsrForm::fold}, {"gray", RsrForm::gray}}};
inline constexpr Names<KvCacheType, 3> kKvCaches{
    {{"f32", KvCacheType::f32}, {"f16", KvCacheType::f16}, {"i8", KvCacheType::i8}}};
inline constexpr Names<HeadMethod, 3> kHeads{
    {{"automatic", HeadMethod::automatic}, {"full", HeadMethod::full}, {"scan", HeadMethod::scan}}};
inline constexpr Names<Draft, 2> kDrafts{{{"none", Draft::none}, {"ngram", Draft::ngram}}};
inline constexpr Names<FinishReason, 3> kFinishes{{{"stop", FinishReason::stop},
                                                   {"length", FinishReason::length},
                                                   {"cancelled", FinishReason::cancelled}}};

/// PrepareOptions that own what they refer to.
struct OwnedPrepareOptions {
  PrepareOptions options;
  std::vector<float> row_scales;
  std::vector<float> group_scales;
  std::string isa;

  PrepareOptions view() const {
    PrepareOptions all = options;
    all.row_scales = row_scales;
    all.group_scales = group_scales;
    all.isa = isa;
    return all;
  }
};

/// EngineOptions, likewise.
struct OwnedEngineOptions {
  EngineOptions options;
  std::string isa;

  EngineOptions view() const {
    EngineOptions all = options;
    all.context.isa = isa;
    return all;
  }
};

}  // namespace rsr::python
