# ggml and its CPU back end, from the source that tools/install_deps.sh --bench unpacked, for this
# very machine (-march=native), as llama.cpp is built by default. Its own thread pool instead of
# OpenMP: its threads stay awake between products.
set(RSR_GGML_SOURCE ${PROJECT_SOURCE_DIR}/build/rivals/ggml CACHE PATH "Source folder of ggml")
if(NOT EXISTS ${RSR_GGML_SOURCE}/CMakeLists.txt)
  message(FATAL_ERROR "no ggml in ${RSR_GGML_SOURCE}: run tools/install_deps.sh --bench")
endif()

function(rsr_add_ggml)
  set(BUILD_SHARED_LIBS OFF)
  set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)  # options below are taken from variables
  set(GGML_NATIVE ON)
  set(GGML_OPENMP OFF)
  set(GGML_LLAMAFILE ON)
  set(GGML_CCACHE OFF)
  set(GGML_BUILD_TESTS OFF)
  set(GGML_BUILD_EXAMPLES OFF)
  set(GGML_ALL_WARNINGS OFF)
  string(APPEND CMAKE_C_FLAGS " -w")
  string(APPEND CMAKE_CXX_FLAGS " -w")
  set(CMAKE_CXX_EXTENSIONS ON)
  set(CMAKE_MESSAGE_LOG_LEVEL WARNING)
  add_subdirectory(${RSR_GGML_SOURCE} ${CMAKE_CURRENT_BINARY_DIR}/ggml EXCLUDE_FROM_ALL)
endfunction()
rsr_add_ggml()
