#include "linear/selftest.h"

#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <iterator>

#include "linear/selftest_record.h"

namespace rsr::linear {
namespace {

constexpr int kRight = 0;
constexpr int kWrong = 1;

/// Ends this process with SIGPROF or SIGALRM when its time is over.
void set_limit(std::chrono::milliseconds limit) {
  const auto timer = [](std::chrono::milliseconds time) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
    itimerval value{};
    value.it_value.tv_sec = seconds.count();
    value.it_value.tv_usec = std::chrono::microseconds(time - seconds).count();
    return value;
  };
  const itimerval processor = timer(limit);
  const itimerval clock = timer(10 * limit);
  ::setitimer(ITIMER_PROF, &processor, nullptr);
  ::setitimer(ITIMER_REAL, &clock, nullptr);
}

/// Everything that a child does. The parent may have other threads, so only calls that are safe in
/// a signal handler are allowed here; and the kernels, which are plain arithmetic.
[[noreturn]] void run_child(const SelftestCase& one, std::chrono::milliseconds limit) {
  // The program's own handlers must not see the child's faults, and a fault must leave no core.
  for (const int signal : {SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGTRAP, SIGABRT, SIGPROF, SIGALRM}) {
    ::signal(signal, SIG_DFL);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::prctl(PR_SET_DUMPABLE, 0);
  set_limit(limit);
  bool right = true;
  for (const auto& trial : one.trials) right = trial() && right;
  ::_exit(right ? kRight : kWrong);
}

/// strsignal() may use a shared buffer; these are the signals that a kernel can raise.
const char* signal_text(int signal) {
  switch (signal) {
    case SIGILL:
      return "illegal instruction";
    case SIGSEGV:
    case SIGBUS:
      return "invalid memory access";
    case SIGFPE:
      return "arithmetic exception";
    default:
      return "unexpected";
  }
}

SelftestResult run_case(const SelftestCase& one, std::chrono::milliseconds limit) {
  SelftestResult result{one.kernel};
  const pid_t child = ::fork();
  if (child < 0) return result;
  if (child == 0) run_child(one, limit);
  int status = 0;
  pid_t ended = 0;
  do ended = ::waitpid(child, &status, 0);
  while (ended < 0 && errno == EINTR);
  // A program that ignores SIGCHLD, or waits for any child, takes the answer away.
  if (ended != child) return result;
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    // Somebody else's: an operator, or the kernel short of memory. It says nothing about us.
    if (signal == SIGKILL || signal == SIGTERM || signal == SIGINT) return result;
    result.verdict = signal == SIGPROF || signal == SIGALRM ? Verdict::hang : Verdict::fault;
    result.signal = signal;
  } else if (WIFEXITED(status)) {
    result.verdict = WEXITSTATUS(status) == kRight ? Verdict::right : Verdict::wrong;
  }
  return result;
}

}  // namespace

const char* verdict_name(Verdict verdict) {
  constexpr const char* kNames[] = {"right", "wrong", "fault", "hang", "unknown"};
  return kNames[static_cast<int>(verdict)];
}

std::vector<SelftestResult> selftest(std::span<const SelftestCase> cases,
                                     std::chrono::milliseconds limit) {
  std::vector<SelftestResult> results;
  results.reserve(cases.size());
  for (const SelftestCase& one : cases) results.push_back(run_case(one, limit));
  return results;
}

std::string selftest_sentence(const SelftestResult& result) {
  std::string text = result.kernel;
  switch (result.verdict) {
    case Verdict::right:
      return text + " passed the self-test.";
    case Verdict::unknown:
      return text + " could not be tried.";
    case Verdict::wrong:
      text += " gave a wrong result in the self-test";
      break;
    case Verdict::fault:
      text += " faulted in the self-test (signal " + std::to_string(result.signal) + ", " +
              signal_text(result.signal) + ")";
      break;
    case Verdict::hang:
      text += " did not end in the self-test";
      break;
  }
  return text + "; it is not used.";
}

const std::vector<SelftestResult>& machine_failures() {
  static const std::vector<SelftestResult> kFailures = [] {
    if (auto remembered = recall_selftest()) return *std::move(remembered);
    const std::vector<SelftestResult> all = selftest(kernel_cases());
    remember_selftest(all);
    std::vector<SelftestResult> failures;
    std::copy_if(all.begin(), all.end(), std::back_inserter(failures),
                 [](const SelftestResult& result) { return result.failed(); });
    return failures;
  }();
  return kFailures;
}

std::vector<std::string> disabled_kernels(base::Isa isa) {
  std::vector<std::string> names;
  if (isa == base::Isa::reference) return names;
  for (const SelftestResult& result : machine_failures()) names.push_back(result.kernel);
  return names;
}

std::vector<std::string> selftest_warnings(base::Isa isa) {
  std::vector<std::string> sentences;
  if (isa == base::Isa::reference) return sentences;
  for (const SelftestResult& result : machine_failures()) {
    sentences.push_back(selftest_sentence(result));
  }
  return sentences;
}

}  // namespace rsr::linear
