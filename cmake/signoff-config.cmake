# find_package(signoff) defines signoff::signoff, the shared library, and signoff::static.
#
# Lies in <prefix>/share/cmake/signoff, and finds the rest from there.
get_filename_component(_signoff_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
# `make install` writes here where it was told to put things; another installer leaves it, and it hints at nothing.
# What lies beside this file comes first, so that a staged installation never meets an older one.
set(_signoff_hints "${_signoff_prefix}/lib" "${_signoff_prefix}/lib64"
  "${_signoff_prefix}/lib/${CMAKE_LIBRARY_ARCHITECTURE}" "@LIBDIR@")

find_path(SIGNOFF_INCLUDE_DIR signoff.h HINTS "${_signoff_prefix}/include" "@INCLUDEDIR@")
find_library(SIGNOFF_LIBRARY NAMES libsignoff.so libsignoff.dylib signoff HINTS ${_signoff_hints})
find_library(SIGNOFF_STATIC_LIBRARY NAMES libsignoff.a HINTS ${_signoff_hints})

if(NOT SIGNOFF_INCLUDE_DIR OR NOT SIGNOFF_LIBRARY)
  set(signoff_FOUND FALSE)
  set(signoff_NOT_FOUND_MESSAGE
    "signoff.h or libsignoff is not under ${_signoff_prefix}: set SIGNOFF_INCLUDE_DIR and SIGNOFF_LIBRARY")
  return()
endif()

if(NOT TARGET signoff::signoff)
  add_library(signoff::signoff UNKNOWN IMPORTED)
  set_target_properties(signoff::signoff PROPERTIES
    IMPORTED_LOCATION "${SIGNOFF_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${SIGNOFF_INCLUDE_DIR}")
endif()
if(SIGNOFF_STATIC_LIBRARY AND NOT TARGET signoff::static)
  include(CMakeFindDependencyMacro)
  find_dependency(Threads)
  add_library(signoff::static STATIC IMPORTED)
  set_target_properties(signoff::static PROPERTIES
    IMPORTED_LOCATION "${SIGNOFF_STATIC_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${SIGNOFF_INCLUDE_DIR}"
    INTERFACE_LINK_LIBRARIES "gcc_s;m;Threads::Threads;${CMAKE_DL_LIBS}")
endif()
