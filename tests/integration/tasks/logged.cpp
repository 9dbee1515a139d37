#include "logged.hpp"

#include "core/log.hpp"

#include <cstdio>
#include <exception>
#include <iostream>

#include <unistd.h>

namespace batchbridge::tests {

std::string logged(const std::function<void()>& meanwhile)
{
    std::cout.flush();
    std::fflush(stdout);
    const int saved = ::dup(1);
    std::FILE* file = std::tmpfile();
    ::dup2(::fileno(file), 1);
    core::log::init(core::log::level::info, core::log::format::text);
    std::exception_ptr failure;
    try {
        meanwhile();
    } catch (...) {
        failure = std::current_exception();
    }
    core::log::init(core::log::level::error, core::log::format::text);
    std::fflush(stdout);
    ::dup2(saved, 1);
    ::close(saved);
    std::rewind(file);
    std::string text;
    char buffer[4096];
    while (const auto n = std::fread(buffer, 1, sizeof buffer, file)) text.append(buffer, n);
    std::fclose(file);
    if (failure) {
        std::cerr << text;
        std::rethrow_exception(failure);
    }
    return text;
}

}  // namespace batchbridge::tests
