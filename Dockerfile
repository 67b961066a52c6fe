# syntax=docker/dockerfile:1.7
# Pregão in a container: built from the locked dependencies, run without root, shell or package manager.
#
#   docker build -t pregao .
#   docker run --rm pregao version

FROM rust:1.95.0-slim-bookworm AS build
# The image's own toolchain is the one that rust-toolchain.toml names; rustup is not to fetch it again.
ENV RUSTUP_TOOLCHAIN=1.95.0 \
    CARGO_TERM_COLOR=never
WORKDIR /source
COPY . .
# Crates and what was compiled stay in BuildKit's cache, so a change of ours compiles ours only.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/source/target,sharing=locked \
    cargo build --release --locked -p pregao \
    && mkdir -p /out/data \
    && cp target/release/pregao /out/pregao

FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="pregao" \
      org.opencontainers.image.description="An autonomous trading engine for B3" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/pregao /usr/bin/pregao
COPY samples /usr/share/pregao/samples
# A new volume begins as what lies here: empty, and the user's.
COPY --from=build --chown=65532:65532 /out/data /var/lib/pregao
ENV PREGAO_CONFIG=/etc/pregao/pregao.toml \
    PREGAO__DATA_DIRECTORY=/var/lib/pregao
# By number: Kubernetes checks that it is not root.
USER 65532:65532
WORKDIR /var/lib/pregao
VOLUME /var/lib/pregao
EXPOSE 8443
STOPSIGNAL SIGTERM
# The image has no shell and no curl. A start recovers the journal first.
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s --retries=4 CMD ["/usr/bin/pregao", "probe"]
ENTRYPOINT ["/usr/bin/pregao"]
CMD ["run"]
