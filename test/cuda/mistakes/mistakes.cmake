# Mistakes on purpose: for each <name>.sed of this folder a library libplanted_<name>.so, whose sources differ from the
# shipped ones by that script alone. Target `mistakes` builds them all. The first lines of a script say
#   # file: the file of native/cuda that it changes
#   # kernel: the kernel file that is compiled with the change (none where it is a file of the host's)
# Those that begin with table- are in what tables need, and test_tables has to find them; the others test_losses.
# Included by emulated.cmake.
add_custom_target(mistakes)
file(GLOB scripts CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.sed)
foreach(script ${scripts})
  get_filename_component(name ${script} NAME_WE)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${script})
  file(STRINGS ${script} head LIMIT_COUNT 2)
  string(REGEX MATCH "# file: ([^;]+)" _ "${head}")
  set(file ${CMAKE_MATCH_1})
  string(REGEX MATCH "# kernel: ([^;]+)" _ "${head}")
  set(kernel ${CMAKE_MATCH_1})
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/mistakes/${name})
  file(MAKE_DIRECTORY ${folder}/keep)

  # A copy of all sources, so that they find each other as the shipped ones do.
  set(planted ${folder}/native/cuda/${file})
  file(GLOB_RECURSE originals CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/native/cuda/*)
  add_custom_command(OUTPUT ${planted} DEPENDS ${script} ${originals} ${CMAKE_CURRENT_LIST_DIR}/plant.sh VERBATIM
    COMMAND ${CMAKE_CURRENT_LIST_DIR}/plant.sh ${script} ${CMAKE_SOURCE_DIR}/native/cuda ${folder}/native/cuda ${file}
    COMMENT "plant ${name}")

  set(objects ${emulated_objects})
  set(others ${translated})
  if(kernel STREQUAL "none")
    set(hosts ${sources_of_hosts})
    list(TRANSFORM hosts REPLACE "^.*/native/cuda/${file}$" ${planted})
    set(cuda_hosts ${hosts})
  else()
    set(cuda_hosts $<TARGET_OBJECTS:emulated_hosts>)
    list(FILTER objects EXCLUDE REGEX "/${kernel}[.]o$")
    list(FILTER others EXCLUDE REGEX "_${kernel}>$")
    set(source ${folder}/native/cuda/kernels/${kernel}.cu)
    set(ptx ${folder}/keep/${kernel}.ptx)
    add_kernel(${kernel} ${source} ${planted} "${folder}/${kernel}.o;${ptx}"
      -I${folder}/native -lineinfo --keep --keep-dir ${folder}/keep ${gencode})
    add_translated(planted_kernel_${name} ${ptx})
    list(APPEND objects ${folder}/${kernel}.o)
    list(APPEND others $<TARGET_OBJECTS:planted_kernel_${name}>)
    set_target_properties(planted_kernel_${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
  add_emulated_library(planted_${name} ${objects} ${others})
  target_include_directories(planted_${name} BEFORE PRIVATE ${folder}/native)
  set_target_properties(planted_${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  add_dependencies(mistakes planted_${name})
endforeach()
set(cuda_hosts $<TARGET_OBJECTS:emulated_hosts>)
