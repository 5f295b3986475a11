#include "cli/line_reader.h"

#include <histedit.h>
#include <langinfo.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <iostream>
#include <string_view>

#include "cli/interrupt.h"

namespace rsr::cli {
namespace {

constexpr int kRemembered = 1000;  // lines

char* prompt(EditLine* /*line*/) {
  static char text[] = "> ";
  return text;
}

/// The editor takes bytes for characters of the locale, and the engine reads UTF-8 only.
void use_utf8() {
  std::setlocale(LC_CTYPE, "");
  if (std::string_view(nl_langinfo(CODESET)) != "UTF-8") std::setlocale(LC_CTYPE, "C.UTF-8");
}

}  // namespace

struct LineReader::Editor {
  Editor() : line(el_init("rsr", stdin, stdout, stderr)), lines(history_init()) {
    HistEvent event = {};
    history(lines, &event, H_SETSIZE, kRemembered);
    history(lines, &event, H_SETUNIQUE, 1);
    el_set(line, EL_PROMPT, prompt);
    el_set(line, EL_EDITOR, "emacs");
    el_set(line, EL_HIST, history, lines);
  }
  Editor(const Editor&) = delete;
  Editor& operator=(const Editor&) = delete;
  ~Editor() {
    el_end(line);
    history_end(lines);
  }

  LineRead read(std::string* text) const {
    int count = 0;
    errno = 0;
    const char* typed = el_gets(line, &count);
    if (typed == nullptr || count <= 0) {
      const bool stopped = interrupted() || errno == EINTR;
      std::fputs("\n", stdout);
      std::fflush(stdout);
      return stopped ? LineRead::interrupted : LineRead::end;
    }
    HistEvent event = {};
    if (*typed != '\n') history(lines, &event, H_ENTER, typed);
    text->assign(typed, static_cast<size_t>(count));
    if (text->ends_with('\n')) text->pop_back();
    return LineRead::line;
  }

  EditLine* line;
  History* lines;
};

LineReader::LineReader() {
  if (isatty(STDIN_FILENO) != 1 || isatty(STDOUT_FILENO) != 1) return;
  use_utf8();
  editor_ = std::make_unique<Editor>();
}

LineReader::~LineReader() = default;

LineRead LineReader::read(std::string* line) {
  if (editor_) return editor_->read(line);
  if (std::getline(std::cin, *line)) return LineRead::line;
  return interrupted() ? LineRead::interrupted : LineRead::end;
}

}  // namespace rsr::cli
