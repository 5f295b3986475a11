// Lines of the user's: edited on a terminal, plain from elsewhere.
#pragma once

#include <memory>
#include <string>

namespace rsr::cli {

enum class LineRead {
  line,         ///< a line came
  interrupted,  ///< Ctrl-C ended the wait
  end           ///< no more will come
};

/// Reads standard input. Where it and standard output are terminals, lines can be edited and
/// earlier ones brought back (libedit); otherwise nothing is printed.
class LineReader {
 public:
  LineReader();
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  /// Without the newline at its end.
  LineRead read(std::string* line);

  /// A person types, and sees what is printed.
  bool terminal() const { return editor_ != nullptr; }

 private:
  struct Editor;
  std::unique_ptr<Editor> editor_;  // null without a terminal
};

}  // namespace rsr::cli
