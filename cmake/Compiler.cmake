# g++ 12 miscompiles statements that combine co_await with an aggregate temporary or a capturing closure
# (double free at run time, no warning), see docs/adr/0004.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  message(FATAL_ERROR "GCC ${CMAKE_CXX_COMPILER_VERSION} miscompiles coroutines; use clang 19 "
                      "(apt-get install clang-19, then cmake --preset dev) or GCC 13 and later.")
endif()

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_CXX_EXTENSIONS OFF)

add_library(icos_options INTERFACE)
target_compile_features(icos_options INTERFACE cxx_std_20)
target_include_directories(icos_options INTERFACE ${CMAKE_CURRENT_SOURCE_DIR}/include)
target_compile_options(icos_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wold-style-cast
    $<$<BOOL:${ICOS_WARNINGS_AS_ERRORS}>:-Werror>)
add_compile_options(-ffunction-sections -fdata-sections)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  add_link_options(-fuse-ld=lld)
endif()
if(NOT ICOS_SANITIZE)
  add_link_options(-Wl,--gc-sections)
endif()
if(ICOS_SANITIZE)
  add_compile_options(-fsanitize=${ICOS_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${ICOS_SANITIZE})
endif()
if(ICOS_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()
