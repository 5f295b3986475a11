// The Jinja sources of the chat templates that are known, as their models' files give them.
#pragma once

#include <string_view>

// clang-format off
namespace rsr::text {

/// BitNet b1.58 2B-4T.
inline constexpr std::string_view kBitnetSource =
    R"({% for message in messages %}{{ message['role'] | capitalize + ': ' + )"
    R"(message['content'] | trim + '<|eot_id|>' }}{% endfor %}{% if )"
    R"(add_generation_prompt %}{{ 'Assistant: ' }}{% endif %})";

/// The same model, another spelling of the loop.
inline constexpr std::string_view kBitnetLoopSource =
    R"({% set loop_messages = messages %}{% for message in loop_messages %}{{ )"
    R"(message['role'] | capitalize + ': ' + message['content'] | trim + )"
    R"('<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant: ' )"
    R"(}}{% endif %})";

/// Llama 3 Instruct.
inline constexpr std::string_view kLlama3Source =
    R"({% set loop_messages = messages %}{% for message in loop_messages %}{% set )"
    R"(content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>)" "\n"
    "\n"
    R"('+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set )"
    R"(content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if )"
    R"(add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>)" "\n"
    "\n"
    R"(' }}{% endif %})";

/// Llama 3 Instruct as first published: the generation prompt is always written.
inline constexpr std::string_view kLlama3AlwaysSource =
    R"({% set loop_messages = messages %}{% for message in loop_messages %}{% set )"
    R"(content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>)" "\n"
    "\n"
    R"('+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set )"
    R"(content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{{ )"
    R"('<|start_header_id|>assistant<|end_header_id|>)" "\n"
    "\n"
    R"(' }})";

/// ChatML.
inline constexpr std::string_view kChatmlSource =
    R"({% for message in messages %}{{'<|im_start|>' + message['role'] + ')" "\n"
    R"(' + message['content'] + '<|im_end|>' + ')" "\n"
    R"('}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant)" "\n"
    R"(' }}{% endif %})";

/// ChatML with a default for add_generation_prompt.
inline constexpr std::string_view kChatmlDefaultSource =
    R"({% if not add_generation_prompt is defined %}{% set add_generation_prompt = )"
    R"(false %}{% endif %}{% for message in messages %}{{'<|im_start|>' + )"
    R"(message['role'] + ')" "\n"
    R"(' + message['content'] + '<|im_end|>' + ')" "\n"
    R"('}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant)" "\n"
    R"(' }}{% endif %})";

/// Falcon3 Instruct.
inline constexpr std::string_view kFalcon3Source =
    R"({%- if tools %})" "\n"
    R"({{- '<|system|>\n' }})" "\n"
    R"({%- if messages[0]['role'] == 'system' %})" "\n"
    R"({{- messages[0]['content'] }})" "\n"
    R"({%- set remaining_messages = messages[1:] %})" "\n"
    R"({%- else %})" "\n"
    R"({%- set remaining_messages = messages %})" "\n"
    R"({%- endif %})" "\n"
    R"({{- 'You are a Falcon assistant skilled in function calling. You are helpful, )"
    R"(respectful, and concise.\n\n# Tools\n\nYou have access to the following )"
    R"(functions. You MUST use them to answer questions when needed. For each )"
    R"(function call, you MUST return a JSON object inside <tool_call></tool_call> )"
    R"(tags.\n\n<tools>' + tools|tojson(indent=2) + '</tools>\n\n# Output )"
    R"(Format\n\nYour response MUST follow this format when making function )"
    R"(calls:\n<tool_call>\n[\n  {"name": "function_name", "arguments": {"arg1": )"
    R"("value1", "arg2": "value2"}},\n  {"name": "another_function", "arguments": )"
    R"({"arg": "value"}}\n]\n</tool_call>\nIf no function calls are needed, respond )"
    R"(normally without the tool_call tags.\n' }})" "\n"
    R"({%- for message in remaining_messages %})" "\n"
    R"({%- if message['role'] == 'user' %})" "\n"
    R"({{- '<|user|>\n' + message['content'] + '\n' }})" "\n"
    R"({%- elif message['role'] == 'assistant' %})" "\n"
    R"({%- if message.content %})" "\n"
    R"({{- '<|assistant|>\n' + message['content'] }})" "\n"
    R"({%- endif %})" "\n"
    R"({%- if message.tool_calls %})" "\n"
    R"({{- '\n<tool_call>\n' }})" "\n"
    R"({{- message.tool_calls|tojson(indent=2) }})" "\n"
    R"({{- '\n</tool_call>' }})" "\n"
    R"({%- endif %})" "\n"
    R"({{- eos_token + '\n' }})" "\n"
    R"({%- elif message['role'] == 'tool' %})" "\n"
    R"({{- '<|assistant|>\n<tool_response>\n' + message['content'] + )"
    R"('\n</tool_response>\n' }})" "\n"
    R"({%- endif %})" "\n"
    R"({%- endfor %})" "\n"
    R"({{- '<|assistant|>\n' if add_generation_prompt }})" "\n"
    R"({%- else %})" "\n"
    R"({%- for message in messages %})" "\n"
    R"({%- if message['role'] == 'system' %})" "\n"
    R"({{- '<|system|>\n' + message['content'] + '\n' }})" "\n"
    R"({%- elif message['role'] == 'user' %})" "\n"
    R"({{- '<|user|>\n' + message['content'] + '\n' }})" "\n"
    R"({%- elif message['role'] == 'assistant' %})" "\n"
    R"({%- if not loop.last %})" "\n"
    R"({{- '<|assistant|>\n' + message['content'] + eos_token + '\n' }})" "\n"
    R"({%- else %})" "\n"
    R"({{- '<|assistant|>\n' + message['content'] + eos_token }})" "\n"
    R"({%- endif %})" "\n"
    R"({%- endif %})" "\n"
    R"({%- if loop.last and add_generation_prompt %})" "\n"
    R"({{- '<|assistant|>\n' }})" "\n"
    R"({%- endif %})" "\n"
    R"({%- endfor %})" "\n"
    R"({%- endif %})";

}  // namespace rsr::text
// clang-format on
