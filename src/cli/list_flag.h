// Flags that take several values, separated by commas.
#pragma once

#include <CLI/CLI.hpp>
#include <vector>

namespace rsr::cli {

template <class T>
CLI::Option* add_list(CLI::App& command, const char* name, std::vector<T>& values,
                      const char* help) {
  // One argument with commas, so that what follows it is never taken for more of the list.
  return command.add_option(name, values, help)
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("LIST")
      ->capture_default_str();
}

}  // namespace rsr::cli
