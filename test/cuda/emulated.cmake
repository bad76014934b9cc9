# The CUDA backend for tests without a GPU: nvcc's own objects and PTX, the PTX translated to C++, on the emulated runtime
# of test/cuda-emulator in place of CUDA's. SAMPLED_SOFTMAX_EMULATED_CUDA is a list of architectures, such as compute_80:
# one gives sampled_softmax_cuda_emulated, several give a sampled_softmax_cuda_<architecture> each.
# Included by native/cuda/CMakeLists.txt.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(emulator ${CMAKE_SOURCE_DIR}/test/cuda-emulator)
set(ptx_folder ${CMAKE_CURRENT_BINARY_DIR}/ptx)
list(LENGTH SAMPLED_SOFTMAX_EMULATED_CUDA num_architectures)

# How nvcc's file of a kernel's PTX ends: with the architecture only where there are several.
function(ptx_ending out architecture)
  set(${out} ptx PARENT_SCOPE)
  if(num_architectures GREATER 1)
    set(${out} ${architecture}.ptx PARENT_SCOPE)
  endif()
endfunction()

# Optimised lightly: the kernels are large, run for milliseconds, and would take g++ minutes; without two passes that take
# a third of its time and make nothing faster here. With FMA instructions, or each fused product would be a call of libm.
function(emulator_options target)
  target_compile_options(${target} PRIVATE ${ARGN} -march=native)
  target_include_directories(${target} PRIVATE ${emulator})
  target_include_directories(${target} SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
  set_target_properties(${target} PROPERTIES CXX_STANDARD 20)
endfunction()

# An object library `target` of a kernel's PTX.
file(GLOB_RECURSE translator CONFIGURE_DEPENDS ${emulator}/ptx2cpp.py ${emulator}/translate/*.py)
function(add_translated target ptx)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/translated/${target}.cc)
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/translated)
  add_custom_command(OUTPUT ${source} DEPENDS ${ptx} ${translator} VERBATIM
    COMMAND ${Python3_EXECUTABLE} ${emulator}/ptx2cpp.py ${ptx} ${source} COMMENT "translate ${target}")
  add_library(${target} OBJECT ${source})
  if(SAMPLED_SOFTMAX_EMULATED_UNCHECKED)
    emulator_options(${target} -O0 -fno-exceptions -w)  # half the time of g++, for a run of seconds
  else()
    emulator_options(${target} -O1 -fno-tree-pta -fno-exceptions -w)
    target_compile_definitions(${target} PRIVATE CUEMU_CHECK=1)
  endif()
endfunction()

set(gencode)
set(endings)
foreach(architecture ${SAMPLED_SOFTMAX_EMULATED_CUDA})
  list(APPEND gencode -gencode arch=${architecture},code=${architecture})
  ptx_ending(ending ${architecture})
  list(APPEND endings ${ending})
endforeach()
compile_kernels(emulated_objects ${ptx_folder} PTX ${endings} GENCODE ${gencode})
add_custom_target(emulated_ptx DEPENDS ${emulated_objects})

file(GLOB runtime CONFIGURE_DEPENDS ${emulator}/runtime/*.cc)
add_library(emulated_runtime OBJECT ${runtime})
emulator_options(emulated_runtime -O2)

# Compiled once for all libraries.
add_library(emulated_hosts OBJECT ${cuda_hosts})
target_include_directories(emulated_hosts SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})

# An emulated library in CMAKE_LIBRARY_OUTPUT_DIRECTORY, or else in build/emulated.
function(add_emulated_library target)
  add_backend_library(${target} test/cuda-emulator/exports.map ${ARGN} $<TARGET_OBJECTS:emulated_runtime>)
  if(NOT CMAKE_LIBRARY_OUTPUT_DIRECTORY)
    set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_SOURCE_DIR}/build/emulated)
  endif()
endfunction()

set(targets)
set(sources_of_hosts ${cuda_hosts})
set(cuda_hosts $<TARGET_OBJECTS:emulated_hosts>)
foreach(architecture ${SAMPLED_SOFTMAX_EMULATED_CUDA})
  ptx_ending(ending ${architecture})
  set(translated)
  foreach(object ${emulated_objects})
    get_filename_component(kernel ${object} NAME_WE)
    add_translated(${architecture}_${kernel} ${ptx_folder}/keep/${kernel}/${kernel}.${ending})
    list(APPEND translated $<TARGET_OBJECTS:${architecture}_${kernel}>)
  endforeach()
  set(target sampled_softmax_cuda_${architecture})
  if(num_architectures EQUAL 1)
    set(target sampled_softmax_cuda_emulated)
    include(${CMAKE_CURRENT_LIST_DIR}/mistakes/mistakes.cmake)
  endif()
  add_emulated_library(${target} ${emulated_objects} ${translated})
  list(APPEND targets ${target})
endforeach()

# What scripts/build-emulated.sh asks for: the libraries, and the native tests, which take a library as their argument.
add_custom_target(emulated)
file(GLOB cuda_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/test_*.cc)
foreach(source ${cuda_tests})
  get_filename_component(name ${source} NAME_WE)
  add_executable(cuda_${name} ${source} $<TARGET_OBJECTS:core>)
  target_include_directories(cuda_${name} PRIVATE test/native test/cuda)
  target_link_libraries(cuda_${name} PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
  list(APPEND targets cuda_${name})
endforeach()
add_dependencies(emulated ${targets})
