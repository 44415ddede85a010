# sallyport_embed(TARGET FILE NAME): FILE's text, as it is when TARGET is built, as `const std::string_view sallyport::embedded::NAME`
# (declared by whoever reads it).
function(sallyport_embed target file name)
  set(out ${CMAKE_BINARY_DIR}/generated/embedded/${name}.cc)
  add_custom_command(
    OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${CMAKE_SOURCE_DIR}/${file} -DOUTPUT=${out} -DNAME=${name}
            -P ${CMAKE_SOURCE_DIR}/cmake/embed_file.cmake
    DEPENDS ${CMAKE_SOURCE_DIR}/${file} ${CMAKE_SOURCE_DIR}/cmake/embed_file.cmake VERBATIM)
  target_sources(${target} PRIVATE ${out})
endfunction()
