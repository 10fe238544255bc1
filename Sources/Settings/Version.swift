/// The version of Quire, the same for both programs, the interface and its document.
package let quireVersion = "0.1.0"
