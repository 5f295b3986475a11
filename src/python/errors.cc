#include "python/errors.h"

#include "python/bindings.h"

namespace nb = nanobind;

namespace rsr::python {
namespace {

const char* code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::ok:
      return "ok";
    case ErrorCode::invalid_argument:
      return "invalid_argument";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::corrupt_data:
      return "corrupt_data";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::limit_exceeded:
      return "limit_exceeded";
    case ErrorCode::io_error:
      return "io_error";
    case ErrorCode::cancelled:
      return "cancelled";
  }
  return "";
}

void raise(const Status& status) {
  // Words may hold what stood in a file, and that need not be UTF-8.
  const std::string& words = status.message();
  const nb::object text = nb::steal(PyUnicode_DecodeUTF8(
      words.data(), static_cast<Py_ssize_t>(words.size()), "backslashreplace"));
  const nb::object error =
      nb::module_::import_("rsr.errors").attr("from_code")(code_name(status.code()), text);
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
}

}  // namespace

void add_errors(nb::module_& /*module*/) {
  nb::register_exception_translator([](const std::exception_ptr& thrown, void* /*payload*/) {
    try {
      std::rethrow_exception(thrown);
    } catch (const StatusError& error) {
      raise(error.status());
    }
  });
}

}  // namespace rsr::python
