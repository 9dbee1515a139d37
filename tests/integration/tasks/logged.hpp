// What the program's log, on stdout, says while something is done.
#pragma once

#include <functional>
#include <string>

namespace batchbridge::tests {

// From level info on; before and after it only errors are logged.
std::string logged(const std::function<void()>& meanwhile);

}  // namespace batchbridge::tests
