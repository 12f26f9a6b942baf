//! A server as a container, through testcontainers.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use futures_util::StreamExt;
use testcontainers::bollard::Docker;
use testcontainers::bollard::query_parameters::{
    CreateImageOptionsBuilder, InspectContainerOptions, KillContainerOptionsBuilder,
    LogsOptionsBuilder, StartContainerOptions, StopContainerOptionsBuilder,
};
use testcontainers::core::IntoContainerPort;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};
use tokio::runtime::Runtime;

use super::certificates::File;
use super::error::{Result, ServersError, while_doing};

/// Where a container has its files and its data, in the images of Redis and of Valkey alike.
const FOLDER: &str = "/data";
/// How long a registry may take to send an image.
const PULL_TIMEOUT: Duration = Duration::from_secs(180);
/// How long a server may take to end when it is asked to.
const STOP_SECONDS: i32 = 10;
const LOG_LINES_SHOWN: &str = "20";

/// A container engine that answers.
///
/// It has a runtime of its own: the harness is called from tests with a runtime and from tests without one.
pub(crate) struct Engine {
    runtime: Option<Runtime>,
    docker: Docker,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Engine")
    }
}

impl Engine {
    /// The engine of this machine; the error says why there is none that can be used.
    pub(crate) fn find() -> Result<Arc<Self>> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(while_doing("starting a runtime"))?;
        let docker = {
            let _inside = runtime.enter();
            Docker::connect_with_defaults().map_err(while_doing("no container engine"))?
        };
        let engine = Self { runtime: Some(runtime), docker };
        let docker = engine.docker.clone();
        match engine.block(async move { docker.version().await })? {
            Ok(_) => Ok(Arc::new(engine)),
            Err(error) if error.to_string().contains("is too new") => {
                Err(ServersError::Unsupported(format!(
                    "the container engine is older than testcontainers asks for ({error}); \
                     `cargo xtask itest` translates between the two"
                )))
            }
            Err(error) => Err(ServersError::System(format!("no container engine: {error}"))),
        }
    }

    /// Whether the engine has the image already.
    pub(crate) fn has_image(&self, image: &str) -> Result<bool> {
        let (docker, image) = (self.docker.clone(), image.to_owned());
        self.block(async move { docker.inspect_image(&image).await.is_ok() })
    }

    /// Fetches an image from its registry.
    pub(crate) fn pull(&self, image: &str) -> Result<()> {
        let docker = self.docker.clone();
        let options = CreateImageOptionsBuilder::new().from_image(image).build();
        let pulling = async move {
            let mut steps = docker.create_image(Some(options), None, None);
            while let Some(step) = steps.next().await {
                step?;
            }
            Ok::<_, testcontainers::bollard::errors::Error>(())
        };
        let what = format!("pulling {image}");
        self.block(async move { tokio::time::timeout(PULL_TIMEOUT, pulling).await })?
            .map_err(|_| ServersError::Late(format!("{what}: not within {PULL_TIMEOUT:?}")))?
            .map_err(while_doing(&what))
    }

    /// Runs a future on the engine's own runtime and waits for it, whether or not the caller is inside another runtime.
    fn block<F>(&self, future: F) -> Result<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let gone = || ServersError::System("the runtime of the container engine ended".to_owned());
        let (sender, receiver) = channel();
        let runtime = self.runtime.as_ref().ok_or_else(gone)?;
        runtime.spawn(async move { sender.send(future.await).unwrap_or_default() });
        receiver.recv().map_err(|_| gone())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Dropping it in the ordinary way is not allowed inside another runtime.
            runtime.shutdown_background();
        }
    }
}

/// How a container is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// Its one port is mapped to the same port of the loopback interface.
    Mapped,
    /// It shares the network of the machine, as servers must that tell each other their addresses.
    Host,
}

/// A server as a container; dropped, it is removed.
#[derive(Debug)]
pub(crate) struct ServerContainer {
    engine: Arc<Engine>,
    container: Option<ContainerAsync<GenericImage>>,
    id: String,
}

impl ServerContainer {
    pub(crate) fn start(
        engine: &Arc<Engine>,
        image: &str,
        command: Vec<String>,
        files: &[File],
        port: u16,
        network: Network,
    ) -> Result<Self> {
        let (name, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
        let mut request = GenericImage::new(name, tag).with_cmd(command).with_working_dir(FOLDER);
        for (name, content) in files {
            request = request.with_copy_to(format!("{FOLDER}/{name}"), content.clone());
        }
        request = match network {
            Network::Host => request.with_network("host"),
            Network::Mapped => {
                request.with_mapped_port(port, port.tcp()).with_host_config_modifier(|host| {
                    let bindings =
                        host.port_bindings.iter_mut().flat_map(|ports| ports.values_mut());
                    for binding in bindings.flatten().flatten() {
                        binding.host_ip = Some("127.0.0.1".to_owned());
                    }
                })
            }
        };
        let container = engine
            .block(request.start())?
            .map_err(|error| ServersError::System(format!("starting a container: {error}")))?;
        let id = container.id().to_owned();
        Ok(Self { engine: Arc::clone(engine), container: Some(container), id })
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The number that its process has outside, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        let (docker, id) = (self.engine.docker.clone(), self.id.clone());
        let inspect =
            async move { docker.inspect_container(&id, None::<InspectContainerOptions>).await };
        let state = self.engine.block(inspect).ok()?.ok()?.state?;
        state.pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0)
    }

    pub(crate) fn is_running(&self) -> bool {
        self.pid().is_some()
    }

    pub(crate) fn start_again(&self) -> Result<()> {
        let (docker, id) = (self.engine.docker.clone(), self.id.clone());
        let start = async move { docker.start_container(&id, None::<StartContainerOptions>).await };
        self.engine.block(start)?.map_err(while_doing("starting a container"))
    }

    pub(crate) fn stop(&self) -> Result<()> {
        let (docker, id) = (self.engine.docker.clone(), self.id.clone());
        let options = StopContainerOptionsBuilder::new().t(STOP_SECONDS).build();
        let stop = async move { docker.stop_container(&id, Some(options)).await };
        self.engine.block(stop)?.map_err(while_doing("stopping a container"))
    }

    pub(crate) fn signal(&self, signal: &'static str) -> Result<()> {
        let (docker, id) = (self.engine.docker.clone(), self.id.clone());
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        let kill = async move { docker.kill_container(&id, Some(options)).await };
        self.engine.block(kill)?.map_err(while_doing("sending a signal to a container"))
    }

    /// The end of what it logged.
    pub(crate) fn log(&self) -> String {
        let (docker, id) = (self.engine.docker.clone(), self.id.clone());
        let options =
            LogsOptionsBuilder::new().stdout(true).stderr(true).tail(LOG_LINES_SHOWN).build();
        let reading = async move {
            let mut text = String::new();
            let mut lines = docker.logs(&id, Some(options));
            while let Some(Ok(line)) = lines.next().await {
                text.push_str(&line.to_string());
            }
            text
        };
        self.engine.block(reading).unwrap_or_default()
    }
}

impl Drop for ServerContainer {
    fn drop(&mut self) {
        if let Some(container) = self.container.take() {
            // When this fails, the shell of the guard removes the container a moment later.
            drop(self.engine.block(container.rm()));
        }
    }
}
