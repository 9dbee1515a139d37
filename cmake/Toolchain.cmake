# Compiler set-up shared by every target: language level, warnings, sanitizers, ccache, precompiled
# header, and the two functions that declare modules and tests.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)   # tests/tidy.sh, clangd
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # The sloppiness is what ccache's manual asks for with precompiled headers.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} ${CCACHE})
endif()

find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS headers json url program_options)
find_package(OpenSSL REQUIRED)
find_package(PostgreSQL REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(date REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(MODBUS REQUIRED IMPORTED_TARGET libmodbus)

add_library(project_options INTERFACE)
target_compile_features(project_options INTERFACE cxx_std_20)
target_include_directories(project_options INTERFACE ${PROJECT_SOURCE_DIR}/lib)
target_link_libraries(project_options INTERFACE Threads::Threads)
if(BATCHBRIDGE_CRASH_POINTS)
  target_compile_definitions(project_options INTERFACE BATCHBRIDGE_CRASH_POINTS=1)
endif()
if(BATCHBRIDGE_SANITIZE)
  target_compile_options(project_options INTERFACE -fsanitize=${BATCHBRIDGE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(project_options INTERFACE -fsanitize=${BATCHBRIDGE_SANITIZE})
endif()

add_library(project_warnings INTERFACE)
target_compile_options(project_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
  # GCC 12 warns falsely on awaitable frames from -O1 up (style guide, section 12).
  -Wno-mismatched-new-delete)
if(BATCHBRIDGE_SANITIZE MATCHES "thread")
  target_compile_options(project_warnings INTERFACE -Wno-tsan)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release" OR BATCHBRIDGE_SANITIZE)
  # False positives of GCC 12 in inlined Boost and coroutine code under optimisation and sanitizers.
  target_compile_options(project_warnings INTERFACE -Wno-maybe-uninitialized -Wno-null-dereference -Wno-restrict
    -Wno-stringop-overflow -Wno-stringop-overread -Wno-array-bounds -Wno-dangling-pointer)
endif()

# bb_module(name SOURCES a.cpp .. PUBLIC targets.. PRIVATE targets..)
# One static library per module: bb::name. PUBLIC is what its headers expose; what is not linked does not link.
function(bb_module name)
  cmake_parse_arguments(arg "NO_PCH" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(bb_${name} STATIC ${arg_SOURCES})
  add_library(bb::${name} ALIAS bb_${name})
  target_link_libraries(bb_${name} PUBLIC project_options ${arg_PUBLIC} PRIVATE project_warnings ${arg_PRIVATE})
  if(NOT arg_NO_PCH)
    target_precompile_headers(bb_${name} REUSE_FROM bb_pch)
    target_link_libraries(bb_${name} PRIVATE bb::asio_impl)
  endif()
endfunction()

# bb_program(name SOURCES .. LIBS ..)
function(bb_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE project_warnings bb::asio_impl ${arg_LIBS})
  target_precompile_headers(${name} REUSE_FROM bb_pch)
endfunction()

# bb_test(name SOURCES .. LIBS .. [LABELS ..] [TIMEOUT s]): one Catch2 executable whose cases become ctest tests.
function(bb_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;LIBS;LABELS" ${ARGN})
  bb_program(${name} SOURCES ${arg_SOURCES} LIBS ${arg_LIBS} bb_test_main)
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  # A name that ctest hands over wrongly (Catch2 2 and a semicolon) must not pass by running nothing; Catch2 3 fails then by itself.
  set(none_is_a_failure "")
  if(Catch2_VERSION VERSION_LESS 3)
    set(none_is_a_failure EXTRA_ARGS -w NoTests)
  endif()
  catch_discover_tests(${name} DISCOVERY_MODE PRE_TEST TEST_PREFIX "${name}: " ${none_is_a_failure}
    PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}")
endfunction()
