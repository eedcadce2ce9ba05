# The only target that compiles Asio's and Beast's non-template code; everybody links it for the definitions (ODR).
add_library(icos_boost STATIC ${CMAKE_CURRENT_SOURCE_DIR}/src/async/asio_impl.cpp
                              ${CMAKE_CURRENT_SOURCE_DIR}/src/http/beast_impl.cpp)
set_target_properties(icos_boost PROPERTIES UNITY_BUILD OFF)
target_compile_features(icos_boost PUBLIC cxx_std_20)
target_link_libraries(icos_boost PUBLIC Boost::headers Boost::json Boost::url OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
target_compile_definitions(icos_boost PUBLIC BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION
    BOOST_ASIO_NO_DEPRECATED)
if(ICOS_SANITIZE MATCHES "thread")
  # With std::atomic Asio orders the last release of a shared object by a fence, which ThreadSanitizer does not know.
  target_compile_definitions(icos_boost PUBLIC BOOST_ASIO_DISABLE_STD_ATOMIC)
endif()

if(ICOS_PCH)
  add_library(icos_pch STATIC ${CMAKE_CURRENT_SOURCE_DIR}/src/pch.cpp)
  target_link_libraries(icos_pch PUBLIC icos_options icos_boost)
  target_precompile_headers(icos_pch PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/src/pch.hpp)
endif()

# icos_add_library(NAME SOURCES a.cpp … [NEEDS target …] [PRIVATE_NEEDS target …])
function(icos_add_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;NEEDS;PRIVATE_NEEDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC icos_options icos_boost ${ARG_NEEDS} PRIVATE ${ARG_PRIVATE_NEEDS})
  if(ICOS_PCH)
    target_precompile_headers(${name} REUSE_FROM icos_pch)
  endif()
endfunction()

# icos_for_size(target…): what the agent is made of is compiled for size in optimised builds. Its budget is memory, and
# mapped code is most of it (docs/adr/0007).
function(icos_for_size)
  foreach(target ${ARGN})
    target_compile_options(${target} PRIVATE $<$<CONFIG:RelWithDebInfo>:-Oz>)
  endforeach()
endfunction()

# icos_add_module(fleet SOURCES … [PRIVATE_NEEDS …]): a controller module. It sees include/icos only.
function(icos_add_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;NEEDS;PRIVATE_NEEDS" ${ARGN})
  icos_add_library(icos_module_${name} SOURCES ${ARG_SOURCES}
                   NEEDS icos_core icos_async icos_config icos_http_api ${ARG_NEEDS} PRIVATE_NEEDS ${ARG_PRIVATE_NEEDS})
  target_include_directories(icos_module_${name} INTERFACE ${CMAKE_CURRENT_SOURCE_DIR}/..)
endfunction()

# icos_add_tests(NAME SOURCES … NEEDS …): a Catch2 program; each TEST_CASE is a ctest test.
function(icos_add_tests name)
  cmake_parse_arguments(ARG "" "" "SOURCES;NEEDS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE icos_test_support icos_options icos_boost ${ARG_NEEDS})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  catch_discover_tests(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 300)
endfunction()

# icos_add_fuzzer(NAME SOURCES … NEEDS …): with ICOS_BUILD_FUZZ a libFuzzer program; otherwise a program that replays
# the corpus tests/fuzz/corpus/<NAME>, run as a test.
function(icos_add_fuzzer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;NEEDS" ${ARGN})
  if(ICOS_BUILD_FUZZ)
    add_executable(${name} ${ARG_SOURCES})
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${name} ${ARG_SOURCES} ${CMAKE_SOURCE_DIR}/tests/support/replay_corpus.cpp)
    add_test(NAME ${name} COMMAND ${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
  endif()
  target_link_libraries(${name} PRIVATE icos_options icos_boost ${ARG_NEEDS})
endfunction()
