//! Drives the program `statectl` as people and scripts do.

#[cfg(test)]
mod bench;
#[cfg(test)]
mod changing_threads;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod demo_life;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod exporting;
#[cfg(test)]
#[cfg(unix)]
mod guide;
#[cfg(test)]
mod moving;
#[cfg(test)]
mod pipes;
#[cfg(test)]
#[cfg(feature = "redis")]
mod servers;
#[cfg(test)]
mod threads;
