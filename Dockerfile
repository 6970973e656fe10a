# A small image: a build stage makes the environment, the run stage carries it without pip or compilers.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY requirements.lock ./
RUN python -m venv /opt/samverka \
    && /opt/samverka/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY gateway gateway
COPY mappings mappings
COPY conformance conformance
COPY demo demo
RUN /opt/samverka/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps . \
    && /opt/samverka/bin/pip uninstall --yes --quiet pip setuptools

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="Samverka" \
      org.opencontainers.image.description="FHIR R4 interoperability gateway: one shared answer to who does what" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --uid 10001 --home-dir /var/lib/samverka --create-home samverka
COPY --from=build /opt/samverka /opt/samverka
ENV PATH=/opt/samverka/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SAMVERKA_DATABASE_URL=sqlite:////var/lib/samverka/samverka.db
USER samverka
WORKDIR /var/lib/samverka
VOLUME /var/lib/samverka
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["samverka", "health"]
# Inside a container the address must be reachable from its network; compose publishes it on 127.0.0.1 alone.
CMD ["samverka", "serve", "--host", "0.0.0.0", "--port", "8000"]
