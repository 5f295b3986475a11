// Open a model directory, answer one prompt as it is generated.
#include <rsr/rsr.h>

#include <iostream>

int main(int argc, char** argv) {
  auto engine = rsr::Engine::open(argc > 1 ? argv[1] : "models/demo");
  if (!engine.ok()) {
    std::cerr << "error: " << engine.status().message() << "\n";
    return 1;
  }
  rsr::Session chat = engine->session();
  const auto stats =
      chat.generate("Write the numbers from 7 to 12 in words separated by commas only:", {},
                    [](std::string_view piece) {
                      std::cout << piece << std::flush;
                      return true;  // false would end the answer here
                    });
  if (!stats.ok()) {
    std::cerr << "error: " << stats.status().message() << "\n";
    return 1;
  }
  std::cout << "\n" << stats->new_tokens << " tokens\n";
}
