//! The API as its attackers meet it. What is tried is made from the documents wherever it can be, so that a new operation is
//! attacked the day it appears.

mod assignment;
mod attacks;
mod catalogue;
mod injection;
mod limits;
mod matrix;
mod privileges;
mod secrets;
mod state;
mod tokens;
mod work;
