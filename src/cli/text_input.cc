#include "cli/text_input.h"

#include <iostream>

#include "base/check.h"
#include "base/file.h"

namespace rsr::cli {

Result<std::string> read_text(const std::string& file, size_t limit) {
  if (file != "-") return base::read_file(file, limit);
  std::string text;
  std::string piece(size_t{1} << 16, '\0');
  while (std::cin) {
    std::cin.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    text.append(piece, 0, static_cast<size_t>(std::cin.gcount()));
    if (text.size() <= limit) continue;
    return base::error(ErrorCode::limit_exceeded, "standard input: more than the ", limit,
                       " bytes that are accepted");
  }
  return text;
}

}  // namespace rsr::cli
