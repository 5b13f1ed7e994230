//! The API as its attackers meet it. What is tried is made from the documents wherever it can be, so that a new operation is
//! attacked the day it appears.

mod access_control;
mod account_enumeration;
mod attacks;
mod injection;
mod mass_assignment;
mod operations;
mod privileges;
mod resource_limits;
mod secrets;
mod snapshot;
mod tokens;
