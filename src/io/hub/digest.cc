#include "io/hub/digest.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "base/check.h"
#include "base/file_descriptor.h"

namespace rsr::io {
namespace {

constexpr size_t kPieceBytes = size_t{1} << 20;

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeContext>;

std::string hexadecimal(const unsigned char* bytes, size_t count) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

Result<DigestContext> begin(DigestKind kind, int64_t size) {
  DigestContext context(EVP_MD_CTX_new());
  const EVP_MD* algorithm = kind == DigestKind::sha256 ? EVP_sha256() : EVP_sha1();
  if (context == nullptr || EVP_DigestInit_ex(context.get(), algorithm, nullptr) != 1) {
    // SHA-1 may be switched off by a system's policy.
    return base::error(ErrorCode::unsupported, "libcrypto offers no ",
                       kind == DigestKind::sha256 ? "SHA-256" : "SHA-1");
  }
  if (kind == DigestKind::git) {
    const std::string header = "blob " + std::to_string(size);
    EVP_DigestUpdate(context.get(), header.c_str(), header.size() + 1);
  }
  return context;
}

}  // namespace

Result<std::string> file_digest(const std::string& path, DigestKind kind,
                                const KeepGoing& keep_going) {
  const base::FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0) return base::system_error(path);
  RSR_ASSIGN_OR_RETURN(const DigestContext context, begin(kind, info.st_size));
  std::vector<char> piece(kPieceBytes);
  while (true) {
    const ssize_t n = ::read(file.get(), piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::system_error(path);
    if (n == 0) break;
    EVP_DigestUpdate(context.get(), piece.data(), static_cast<size_t>(n));
    if (!keep_going()) return std::string();
  }
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  EVP_DigestFinal_ex(context.get(), digest, &length);
  return hexadecimal(digest, length);
}

}  // namespace rsr::io
